"""Where log lines go: all to a rotated file, warnings to stderr, secrets to neither."""

import logging
import os
import sys
import traceback
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from actors.log import open_log, set_up_with
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
    """Replace every sink. `secrets` are values, wherever they turn up in a line or traceback.

    Raises:
        OSError: the file cannot be opened; what is logged goes to the screen, secrets to neither.
    """
    from loguru import logger

    logger.remove()
    logger.configure(patcher=partial(_cleaned, secrets=secrets))
    logger.add(sys.stderr, level=screen_level, format=_SCREEN_LINE, diagnose=False, enqueue=False)
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
    for name in _STANDARD_LOGGERS:
        _intercept(logging.getLogger(name))


def log_from_now_on(path: Path, *, secrets: Collection[str], screen_level: str) -> None:
    """Set up logging at the first line, which costs a start nothing.

    Raises:
        OSError: the file cannot be opened.
    """
    os.close(_owner_only(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC))
    set_up_with(partial(set_up_logging, path, secrets=secrets, screen_level=screen_level))
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
        bound = open_log().bind(actor=record.name).opt(exception=record.exc_info)
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
