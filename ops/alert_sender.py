"""One address that takes notices, through apprise; the only file that imports it."""

import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from ops.secret_names import without_secrets
from ops.secret_values import secret_parts, spellings


class Letter(NamedTuple):
    """A notice as a person reads it."""

    title: str
    body: str
    is_critical: bool = False
    is_over: bool = False


_IMPORTING = threading.Lock()
Sender = Callable[[Letter], str]
"""Sends one letter and waits; gives why it was not taken, or nothing. Must not raise."""


def apprise_sender(url: str) -> Sender:
    """Make the sender of one address. The first one takes half a second: imports."""
    secrets = spellings(secret_parts(url))
    with _IMPORTING, warnings.catch_warnings(), _Heard() as heard:
        warnings.simplefilter("ignore", DeprecationWarning)  # of what its plugins import
        import apprise

        # Who follows a redirect asks the other place for a page and says nothing there: the letter
        # would be lost, and told as taken. An address may say `redirect=yes` itself.
        asset = apprise.AppriseAsset(
            app_id="Watchkeeper", async_mode=False, secure_logging=True, http_redirects=False
        )
        service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        reason = without_secrets(heard.last or "apprise does not know it", secrets)
        return lambda _: f"the address is wrong: {reason}"

    def send(letter: Letter) -> str:
        with _Heard() as heard:
            try:
                # Of the service itself, on this thread: an `Apprise` keeps threads of its own,
                # for which the process would wait at its end.
                is_taken = service.notify(
                    body=letter.body, title=letter.title, notify_type=_kind(letter, apprise)
                )
            except Exception as error:  # noqa: BLE001 - a plugin's bug is no reason to end
                return without_secrets(f"{type(error).__name__}: {error}", secrets)
        return "" if is_taken else without_secrets(heard.last or "it was not taken", secrets)

    return send


def _kind(letter: Letter, apprise: Any) -> Any:
    kinds = apprise.NotifyType
    if letter.is_over:
        return kinds.SUCCESS
    return kinds.FAILURE if letter.is_critical else kinds.WARNING


class _Heard(logging.Handler):
    """What apprise says on this thread while it sends: the reason of a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`, on the thread that logs."""
        if record.thread == self._thread:
            self.last = record.getMessage()

    def __enter__(self) -> "_Heard":
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)
