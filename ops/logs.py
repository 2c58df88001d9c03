"""Where log lines go: all to a rotated file, warnings to stderr, secrets to neither."""

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from actors.log import bare_log, drain_with, open_log, set_up_with
from ops.config_records import LogFormat, LogsConfig
from ops.log_file import LogFile, open_log_file
from ops.log_lines import LinesAside
from ops.secret_values import cleaner

if TYPE_CHECKING:
    from actors.log import Record

_STANDARD_LOGGERS = ("pykka", "ccxt", "asyncio", "aiohttp", "apprise", "py.warnings")
"""What of them is news goes to the file. Of all others, warnings do."""
_FILE_LINE = "{time:YYYY-MM-DDTHH:mm:ss.SSSSSSZ} {level: <8} {extra[shown]}"
_SCREEN_LINE = "{time:HH:mm:ss} <level>{level: <8}</level> {extra[shown]}"
_JSON_LINE = "{extra[shown]}"
_ERROR = 40


class LogSettings(NamedTuple):
    """How lines look and how many are kept; `[logs]` of a config."""

    as_json: bool = False
    level: str = "DEBUG"
    rotate_bytes: int = 16_000_000
    keep: int = 5


def log_settings(logs: LogsConfig) -> LogSettings:
    """Give what a config says of its log."""
    return LogSettings(
        as_json=logs.format is LogFormat.JSON,
        level=str(logs.level).upper(),
        rotate_bytes=logs.rotate_mb * 1_000_000,
        keep=logs.rotate_keep,
    )


class LogCounts:
    """How many lines of an error or worse were written; any thread may read it."""

    def __init__(self) -> None:
        self.errors = 0


Context = Callable[[], Mapping[str, Any]]
"""Gives what a line is about that does not say so: the actor, the trace id."""


def _no_context() -> Mapping[str, Any]:
    return {}


def set_up_logging(
    path: Path,
    *,
    secrets: Collection[str] = (),
    settings: LogSettings = LogSettings(),  # noqa: B008 - immutable
    screen_level: str = "WARNING",
    context: Context = _no_context,
    counts: LogCounts | None = None,
) -> LogCounts:
    """Replace every sink. `secrets` are values, wherever they turn up in a line or traceback.

    Raises:
        OSError: the file cannot be opened; what is logged goes to the screen, secrets to neither.
    """
    logger = bare_log()
    counts = counts or LogCounts()
    logger.remove()
    cleaned = partial(
        _cleaned, secrets=secrets, as_json=settings.as_json, context=context, counts=counts
    )
    logger.configure(patcher=cleaned)
    screen = LinesAside(_Screen(sys.stderr), "stderr", lambda _: None)
    logger.add(
        screen,
        level=screen_level,
        format=_JSON_LINE if settings.as_json else _SCREEN_LINE,
        filter=_is_ours,
        backtrace=False,
        diagnose=False,
        enqueue=False,
    )
    tell = partial(_tell_screen, as_json=settings.as_json)
    lines = LogFile(path, rotate_bytes=settings.rotate_bytes, keep=settings.keep, tell=tell)
    file = LinesAside(lines, path.name, tell)
    drain_with(screen.drain, file.drain)
    # Not enqueued by Loguru: its queue costs the caller five times as much as the whole line.
    logger.add(
        file,
        level=settings.level,
        format=_JSON_LINE if settings.as_json else _FILE_LINE,
        colorize=False,
        backtrace=False,
        diagnose=False,
        enqueue=False,
    )
    logging.captureWarnings(capture=True)
    _intercept(logging.getLogger(), logging.WARNING)
    for name in _STANDARD_LOGGERS:
        _intercept(logging.getLogger(name), logging.INFO)
    return counts


def log_from_now_on(
    path: Path,
    *,
    secrets: Collection[str],
    settings: LogSettings,
    screen_level: str,
    context: Context,
) -> LogCounts:
    """Set up logging at the first line, which costs a start nothing.

    Raises:
        OSError: the file cannot be opened.
    """
    counts = LogCounts()
    os.close(open_log_file(path))
    set_up_with(
        partial(
            set_up_logging,
            path,
            secrets=secrets,
            settings=settings,
            screen_level=screen_level,
            context=context,
            counts=counts,
        )
    )
    return counts


@contextmanager
def unhandled_are_logged(secrets: Collection[str]) -> Iterator[None]:
    """Log what ends a thread, and clean what Python prints by itself.

    That is what ends the process, and what is ignored: an error of a destructor, say.
    """
    before = threading.excepthook, sys.unraisablehook

    def of_thread(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_type is SystemExit:
            return
        error = fault.exc_value or fault.exc_type()
        name = fault.thread.name if fault.thread else "unknown"
        log = open_log().opt(exception=error)
        log.error("the thread {} ended by {}", name, type(error).__name__)

    def of_process(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        lines = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(_without(lines, secrets))

    def of_nobody(fault: "sys.UnraisableHookArgs") -> None:
        # Not logged: it comes in the middle of anything, of a line of the log as well.
        parts = (fault.exc_type, fault.exc_value, fault.exc_traceback)
        lines = "".join(traceback.format_exception(*parts))
        where = fault.err_msg or "Exception ignored in"
        with suppress(Exception):  # whatever it is may not be able to say what it is
            where = f"{where}: {fault.object!r}"
        sys.stderr.write(_without(f"{where}\n{lines}", secrets))

    sys.excepthook = of_process
    threading.excepthook, sys.unraisablehook = of_thread, of_nobody
    try:
        yield
    finally:
        # The first one is for after this block.
        threading.excepthook, sys.unraisablehook = before


def quiet_standard_loggers(*names: str) -> None:
    """Keep a library's lines off the screen, in a command that says the same in a sentence."""
    for name in names:
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False


def _tell_screen(text: str, *, as_json: bool) -> None:
    """Say something of the log itself, past Loguru, which is in the middle of a line of it."""
    at = datetime.now().astimezone()
    line = f"{at:%H:%M:%S} WARNING  {text}"
    if as_json:
        line = json.dumps({**_moment(at), "level": "warning", "message": text}, sort_keys=True)
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _is_ours(record: "Record") -> bool:
    """Keep a library's tracebacks off the screen: our own line says the same in one sentence."""
    return str(record["extra"].get("actor")).partition(".")[0] not in _STANDARD_LOGGERS


class _Screen:
    """A stream whose lines are seen at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.isatty = stream, stream.isatty

    def write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class _ToLoguru(logging.Handler):
    """Hands the standard library's records on, with the level they came with."""

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`, on the thread that logs."""
        known = record.levelname in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        level = record.levelname if known else record.levelno
        bound = open_log().bind(actor=record.name).opt(exception=record.exc_info)
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a library's line must not end its thread
            text = f"{record.msg} ({type(error).__name__}: {error})"
        bound.log(level, "{}", text)


def _intercept(standard: logging.Logger, level: int) -> None:
    # A library's debug lines hold whole requests with their headers: never below this level.
    standard.handlers = [_ToLoguru()]
    standard.propagate = False
    standard.setLevel(level)


def _cleaned(
    record: "Record",
    secrets: Collection[str],
    as_json: bool,
    context: Context,
    counts: LogCounts,
) -> None:
    """Take the secrets out of the record itself, before any sink sees it.

    A sink that fails (a full disk) makes loguru print the whole record: it must be clean too.
    """
    counts.errors += record["level"].no >= _ERROR
    named = {**context(), **record["extra"]}
    fields = {key: _without(str(value), secrets) for key, value in named.items()}
    record["message"] = _without(record["message"], secrets)
    trace = ""
    if record["exception"] is not None:
        kind, value, tb = record["exception"]
        trace = _without("".join(traceback.format_exception(kind, value, tb)).rstrip(), secrets)
        record["exception"] = None
    shown = _json_line(record, fields, trace) if as_json else _text_line(record, fields, trace)
    record["extra"].update(fields, shown=shown)


def _text_line(record: "Record", fields: Mapping[str, str], trace: str) -> str:
    shown = " ".join([record["message"], *(f"{key}={value}" for key, value in fields.items())])
    return f"{shown}\n{trace}" if trace else shown


def _json_line(record: "Record", fields: Mapping[str, str], trace: str) -> str:
    line = {
        **fields,
        **_moment(record["time"]),
        "level": record["level"].name.lower(),
        "message": record["message"],
        **({"traceback": trace} if trace else {}),
    }
    return json.dumps(line, sort_keys=True)


def _moment(at: datetime) -> dict[str, Any]:
    at_ns = int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1_000
    return {"at": at.isoformat(), "at_ns": at_ns}


def _without(text: str, secrets: Collection[str]) -> str:
    return cleaner(secrets)(text)
