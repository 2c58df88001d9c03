"""Where log lines go: all to a rotated file, warnings to stderr, secrets to neither."""

import logging
import os
import sys
import traceback
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from ops.secret_names import without_secrets

if TYPE_CHECKING:
    from loguru import Record

_STANDARD_LOGGERS = ("pykka",)
_FILE_LINE = "{time:YYYY-MM-DDTHH:mm:ss.SSSSSSZ} {level: <8} {extra[shown]}"
_SCREEN_LINE = "{time:HH:mm:ss} <level>{level: <8}</level> {extra[shown]}"


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
    logger.configure(patcher=partial(_cleaned, secrets=secrets))
    # Not enqueued: a queue costs the caller five times as much and loses the last lines.
    logger.add(
        path,
        level="DEBUG",
        format=_FILE_LINE,
        rotation=rotate_bytes,
        retention=keep,
        diagnose=False,
        enqueue=False,
        encoding="utf-8",
        opener=_owner_only,
    )
    logger.add(sys.stderr, level=screen_level, format=_SCREEN_LINE, diagnose=False, enqueue=False)
    for name in _STANDARD_LOGGERS:
        _intercept(logging.getLogger(name))


def _is_ours(record: "Record") -> bool:
    """Keep a library's tracebacks off the screen: our own line says the same in one sentence."""
    return record["extra"].get("actor") not in _STANDARD_LOGGERS


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


def _cleaned(record: "Record", secrets: Collection[str]) -> None:
    """Take the secrets out of the record itself, before any sink sees it.

    A sink that fails (a full disk) makes loguru print the whole record: it must be clean too.
    """
    fields = {key: without_secrets(str(value), secrets) for key, value in record["extra"].items()}
    record["message"] = without_secrets(record["message"], secrets)
    shown = " ".join([record["message"], *(f"{key}={value}" for key, value in fields.items())])
    if record["exception"] is not None:
        kind, value, trace = record["exception"]
        lines = "".join(traceback.format_exception(kind, value, trace)).rstrip()
        shown = f"{shown}\n{without_secrets(lines, secrets)}"
        record["exception"] = None
    record["extra"].update(fields, shown=shown)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
