"""Where log lines go: all to a rotated file, warnings to stderr, secrets to neither."""

import logging
import os
import sys
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from ops.secret_names import without_secrets

if TYPE_CHECKING:
    from loguru import FormatFunction, Record

_STANDARD_LOGGERS = ("pykka",)
_FILE_LINE = "{time:YYYY-MM-DDTHH:mm:ss.SSSSSSZ} {level: <8} {extra[shown]}\n"
_SCREEN_LINE = "{time:HH:mm:ss} <level>{level: <8}</level> {extra[shown]}\n"


def set_up_logging(
    path: Path,
    *,
    secrets: Collection[str] = (),
    rotate_bytes: int = 16_000_000,
    keep: int = 5,
    screen_level: str = "WARNING",
) -> None:
    """Replace every sink. `secrets` are values, wherever they turn up in a line or traceback."""
    logger.remove()
    # Not enqueued: a queue costs the caller five times as much and loses the last lines.
    logger.add(
        path,
        level="DEBUG",
        format=_format(_FILE_LINE, secrets),
        rotation=rotate_bytes,
        retention=keep,
        diagnose=False,
        enqueue=False,
        encoding="utf-8",
        opener=_owner_only,
    )
    line = _format(_SCREEN_LINE, secrets)
    logger.add(sys.stderr, level=screen_level, format=line, diagnose=False, enqueue=False)
    for name in _STANDARD_LOGGERS:
        _intercept(logging.getLogger(name))


class _ToLoguru(logging.Handler):
    """Hands the standard library's records on, with the level they came with."""

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`, on the thread that logs."""
        known = record.levelname in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        level = record.levelname if known else record.levelno
        bound = logger.bind(actor=record.name).opt(exception=record.exc_info)
        bound.log(level, "{}", record.getMessage())


def _intercept(standard: logging.Logger) -> None:
    standard.handlers = [_ToLoguru()]
    standard.propagate = False
    standard.setLevel(logging.INFO)


def _format(line: str, secrets: Collection[str]) -> "FormatFunction":
    def formatted(record: "Record") -> str:
        record["extra"]["shown"] = without_secrets(_text(record), secrets)
        return line

    return formatted


def _text(record: "Record") -> str:
    fields = {k: v for k, v in record["extra"].items() if k != "shown"}
    text = " ".join([record["message"], *(f"{key}={value}" for key, value in fields.items())])
    exception = record["exception"]
    if exception is None:
        return text
    # Written here and not by loguru, which would add it after the secrets were taken out.
    lines = traceback.format_exception(exception.type, exception.value, exception.traceback)
    return f"{text}\n{''.join(lines)}".rstrip()


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
