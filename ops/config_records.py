"""The `[logs]` and the `[journal]` of a configuration: what a run writes down of itself."""

from enum import StrEnum

import msgspec

from ops.config_reader import TableReader


class LogFormat(StrEnum):
    """How a line of the log looks."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """What is written at least."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[logs]`."""

    format: LogFormat
    level: LogLevel
    rotate_mb: int
    rotate_keep: int


def read_logs(reader: TableReader) -> LogsConfig:
    """Give how the log is written; what is wrong with it is noted with the reader."""
    logs = LogsConfig(
        format=reader.choice("format", LogFormat, LogFormat.TEXT),
        level=reader.choice("level", LogLevel, LogLevel.DEBUG),
        rotate_mb=reader.integer("rotate_mb", 16, least=1),
        rotate_keep=reader.integer("rotate_keep", 5, least=1),
    )
    reader.finish()
    return logs


class JournalWhen(StrEnum):
    """When a journal is kept."""

    LIVE = "live"
    """While the market is live: a recording can be shown again anyway."""
    ALWAYS = "always"
    NEVER = "never"


class JournalConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[journal]`."""

    when: JournalWhen
    rotate_mb: int
    keep: int
    keep_mb: int
    keep_days: int


def read_journal_settings(reader: TableReader) -> JournalConfig:
    """Give when and how much is kept; what is wrong with it is noted with the reader."""
    journal = JournalConfig(
        when=reader.choice("when", JournalWhen, JournalWhen.LIVE),
        rotate_mb=reader.integer("rotate_mb", 16, least=1),
        keep=reader.integer("keep", 100, least=1),
        keep_mb=reader.integer("keep_mb", 1_000, least=1),
        keep_days=reader.integer("keep_days", 30, least=1),
    )
    reader.finish()
    return journal
