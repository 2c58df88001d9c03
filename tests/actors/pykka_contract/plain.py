"""A Pykka actor as Pykka makes it, that writes down its hooks; nothing of ours is in it."""

import threading
from contextvars import ContextVar
from typing import Any

import pykka

LIMIT_S = 60
INBOX: ContextVar[Any] = ContextVar("INBOX")


class Slip:
    """An envelope that Pykka did not make."""

    def __init__(self, message: Any, reply_to: Any = None) -> None:
        self.message = message
        self.reply_to = reply_to


class Plain(pykka.ThreadingActor):
    """Writes down which hooks were called, in which thread, and fails where told."""

    use_daemon_thread = True

    def __init__(self, fail_in: str = "", error: type[BaseException] = ValueError) -> None:
        super().__init__()
        self.fail_in = fail_in
        self.error = error
        self.calls: list[str] = []
        self.threads: set[str] = set()
        self.failure: BaseException | None = None
        self.stopped_inside: bool | None = None

    def note(self, hook: str) -> None:
        self.calls.append(hook)
        self.threads.add(threading.current_thread().name)
        if self.fail_in == hook:
            raise self.error(hook)

    def on_start(self) -> None:
        self.note("on_start")

    def on_stop(self) -> None:
        self.stopped_inside = self.actor_stopped.is_set()
        self.note("on_stop")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.stopped_inside = self.actor_stopped.is_set()
        self.failure = exception_value
        self.note("on_failure")

    def on_receive(self, message: Any) -> Any:
        self.note(f"on_receive {message}")
        return message


def started(actor: Plain) -> Plain:
    """What `start` does, with the object in hand."""
    pykka.ActorRegistry.register(actor.actor_ref)
    actor._start_actor_loop()
    return actor


def gone(actor: pykka.Actor) -> bool:
    """Whether the actor has stopped and its thread has ended."""
    stopped = actor.actor_stopped.wait(LIMIT_S)
    for thread in threading.enumerate():
        if thread.name.startswith(type(actor).__name__) and thread.daemon:
            thread.join(LIMIT_S)
    return stopped
