"""A process that makes trials: `python -P -m research.optimise.worker LINK DATA PULSE`.

It has a socket to who asks and the market mapped, and no reach beyond: it knows no study and no
database. When the other end is closed, however that came, it ends at once, whatever it is at.
"""

import contextlib
import gc
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from messages.errors import WatchkeeperError, said_by
from messages.own_lines import line_of
from messages.patience import Hung, Patience
from research.backtest.own_code import OwnCode
from research.optimise.columns import map_file
from research.optimise.figures import Figures
from research.optimise.protocol import (
    Answer,
    Done,
    End,
    Ended,
    Order,
    PartOver,
    Told,
    decode_said,
    encode,
    frames,
    send,
)
from research.optimise.trial import GivenUp, GoOn, Refused, Task, Work, make, uses_of

LONGEST_REASON = 500


def main() -> int:
    """Make trials until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of who asks
    link = socket.socket(fileno=int(sys.argv[1]))
    data = map_file(int(sys.argv[2]))
    arriving = frames(link)
    work: Work = pickle.loads(next(arriving))  # noqa: S301 - of our own parent
    gc.freeze()
    heard: SimpleQueue[Order | Answer] = SimpleQueue()
    Thread(target=_listen, args=(arriving, heard), daemon=True).start()
    beat, ticket = _beat_of(int(sys.argv[3])), 0

    def last_word(text: str) -> None:
        send(link, encode(Ended(ticket, End.FAILED, text, is_stuck=True)))

    patience = Patience(work.event_limit_s, work="trial", last_word=last_word, beat=beat)
    with patience.watching():
        beat()
        while True:
            said = heard.get()
            assert isinstance(said, Order), "asked for a trial before anything else"
            ticket = said.task.ticket
            ask = _asker(link, heard, said.task.ticket)
            send(link, encode(_in_time(patience, work, data, said.task, ask)))


def _beat_of(pulse: int) -> Callable[[], object]:
    os.set_blocking(pulse, False)

    def beat() -> None:
        with contextlib.suppress(OSError):  # full, or nobody listens: that shows elsewhere
            os.write(pulse, b".")

    return beat


def _in_time(patience: Patience, work: Work, data: memoryview, task: Task, ask: GoOn) -> Told:
    """Make a trial, which a call that does not come back ends."""
    seen: list[OwnCode] = []

    def watched(own: OwnCode) -> None:
        seen.append(own)
        patience.begin(own.mark, own.here)

    try:
        return patience.over(lambda: attempt(work, data, task, ask, watched))
    except Hung as error:
        return Ended(task.ticket, End.FAILED, seen[0].where(error, patience.limit_s))


def _listen(arriving: Iterator[bytes], heard: "SimpleQueue[Order | Answer]") -> None:
    with contextlib.suppress(OSError):
        for frame in arriving:
            heard.put(decode_said(frame))
    os._exit(0)


def _asker(link: socket.socket, heard: "SimpleQueue[Order | Answer]", ticket: int) -> GoOn:
    def ask(part: int, figures: Figures) -> bool:
        send(link, encode(PartOver(ticket, part, figures)))
        said = heard.get()
        assert isinstance(said, Answer), "a part's end is answered before anything else"
        return said.go_on

    return ask


def attempt(
    work: Work, data: memoryview, task: Task, ask: GoOn, watched: Callable[[OwnCode], object]
) -> Told:
    """Make a trial and say how it ended; nothing that a strategy does is raised but `Hung`."""
    try:
        figures = make(work, data, task, ask, watched)
    except Refused as error:
        return Ended(task.ticket, End.REFUSED, str(error)[:LONGEST_REASON])
    except GivenUp:
        return Ended(task.ticket, End.GIVEN_UP, "")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may raise anything
        return Ended(task.ticket, End.FAILED, _reason(work, error)[:LONGEST_REASON])
    return Done(task.ticket, figures)


def _reason(work: Work, error: BaseException) -> str:
    if isinstance(error, WatchkeeperError):
        return str(error)
    files = [uses_of(one)[0].partition(":")[0] for one in work.plan.strategies]
    lines = (line_of(error, file) for file in files if file.endswith(".py"))
    where = next(filter(None, lines), "") or _last_line(error)
    return f"{type(error).__name__}: {said_by(error)} ({where})"


def _last_line(error: BaseException) -> str:
    frames_of = traceback.extract_tb(error.__traceback__)
    if not frames_of:
        return ""
    return f"{Path(frames_of[-1].filename).name}:{frames_of[-1].lineno}"


if __name__ == "__main__":
    sys.exit(main())
