"""The `[logs]` of a configuration: what a run writes down of itself for people."""

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
