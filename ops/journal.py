"""The journal of a run: what came from outside, as each actor took it, on a thread of its own.

An actor pays for one append to a queue. A full disk ends the journal with a sentence in
`health`, and nothing else.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from actors.log import logger
from messages.base import Message
from messages.codec import to_msgpack
from messages.ids import ActorPath
from messages.lifecycle import Supervise
from messages.market import MarketBatch
from messages.outside import OUTSIDE, Origin
from ops.config import Config, FeedType
from ops.config_records import JournalConfig, JournalWhen
from ops.run_dir import RunDir
from persistence.frames import LOST, Frame, fits
from persistence.journal import JournalWriter, Retention

FLUSH_S = 0.2
CLOSE_S = 10.0
MOST_WAITING = 200_000
_ROUNDS = 2_000
"""Messages that are packed at once: between them other threads have their turn."""

Entry = tuple[Origin, int, ActorPath, Message]


def journal_for(config: Config, run_dir: RunDir, utc_ns: Callable[[], int]) -> "Journal | None":
    """Give the journal of a run; None where the config wants none."""
    is_live = config.feed.type is FeedType.CCXT
    when = config.journal.when
    if when is JournalWhen.NEVER or (when is JournalWhen.LIVE and not is_live):
        return None
    # A live feed's batches follow from the news that it took; those of a recording do not.
    return Journal(config.journal, run_dir, utc_ns, keeps_batches=not is_live)


class Journal:
    """`record` on any actor's thread, `summary` on any."""

    def __init__(
        self,
        settings: JournalConfig,
        run_dir: RunDir,
        utc_ns: Callable[[], int],
        *,
        keeps_batches: bool,
    ) -> None:
        self._settings, self._run_dir, self._utc_ns = settings, run_dir, utc_ns
        self._waiting: deque[Entry] = deque()
        self._origins = dict(OUTSIDE)
        if not keeps_batches:
            del self._origins[MarketBatch]
        self._writer: JournalWriter | None = None
        self._frames = self._lost = self._lost_told = 0
        self._unpacked = 0
        """Messages that cannot be packed: lost, each by itself."""
        self._in_hand = 0
        """Messages taken from the queue and not yet written: lost, once nothing is written more."""
        self.problem = ""
        """Why nothing is written any more; empty while it is."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def record(self, path: ActorPath, message: Any, *, is_timer: bool) -> None:
        """Keep a message that an actor takes now, if it came from outside. Never blocks."""
        kind = type(message)
        origin = Origin.TIMER if is_timer else self._origins.get(kind)
        if origin is None or kind is Supervise:
            return
        if self.problem or len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        self._waiting.append((origin, self._utc_ns(), path, message))

    def start(self) -> None:
        """Begin to write. A directory that cannot be written is a problem, not an error."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and let go; a disk that hangs is not waited for."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)
            if self._thread.is_alive() and not self.problem:
                self.problem = f"the disk took nothing more within {CLOSE_S:.0f} s of the end"

    def summary(self) -> dict[str, Any]:
        """Say how far it is; `lost` holds what was taken from actors and cannot be read."""
        waiting = len(self._waiting)
        return {
            "problem": self.problem,
            "frames": self._frames,
            "lost": self._all_lost() + (self._in_hand + waiting if self.problem else 0),
            "waiting": 0 if self.problem else waiting,
            "segment": self._writer.segment.name if self._writer else None,
        }

    # ------------------------------------------------------------ on its own thread

    def _run(self) -> None:
        try:
            self._writer = self._open()
            while not self._over.wait(FLUSH_S):
                self._flush()
            self._flush()
        except Exception as error:  # noqa: BLE001  whatever it is, trading goes on
            self.problem = _sentence(error)
            self._drop_waiting()
            logger.bind(actor="journal").error("the journal ends: {}", self.problem)
        finally:
            if self._writer is not None:
                self._writer.close()

    def _open(self) -> JournalWriter:
        settings = self._settings
        writer = JournalWriter(
            self._run_dir.journal,
            self._utc_ns,
            rotate_bytes=settings.rotate_mb * 1_000_000,
            retention=Retention(settings.keep, settings.keep_mb, settings.keep_days),
            fence=self._run_dir.fence,
        )
        if writer.mended is not None:
            segment, damage = writer.mended
            text = "cut off" if damage.is_torn else "left as it is"
            logger.bind(actor="journal").warning(
                "{} is damaged at byte {}: {}; {}", segment.name, damage.offset, damage.reason, text
            )
        return writer

    def _flush(self) -> None:
        writer = self._writer
        assert writer is not None, "opened before"
        while self._waiting or self._all_lost() > self._lost_told:
            count = min(len(self._waiting), _ROUNDS)
            entries = [self._waiting.popleft() for _ in range(count)]
            self._in_hand = count
            frames = [frame for entry in entries if (frame := self._frame(*entry)) is not None]
            packed, self._in_hand = len(frames), len(frames)
            if self._all_lost() > self._lost_told:
                frames.append(self._gap())
            before = writer.written
            try:
                writer.write(frames)
            finally:
                written = writer.written - before
                self._frames += written
                self._in_hand -= min(written, packed)

    def _drop_waiting(self) -> None:
        while self._waiting:
            self._waiting.popleft()
            self._in_hand += 1

    def _all_lost(self) -> int:
        return self._lost + self._unpacked

    def _frame(self, origin: Origin, at_ns: int, path: ActorPath, message: Any) -> Frame | None:
        """Pack a message; None for one that cannot be, which is lost alone."""
        try:
            frame = Frame(origin, at_ns, path, to_msgpack(message))
            problem = "" if fits(frame) else f"{len(frame.payload)} bytes are too many"
        except Exception as error:  # noqa: BLE001  whatever it is, the others are kept
            problem = type(error).__name__
        if not problem:
            return frame
        self._unpacked += 1
        if self._unpacked == 1:
            kind = type(message).__name__
            logger.bind(actor="journal").error(
                "a {} for {} cannot be kept: {}; others are only counted", kind, path, problem
            )
        return None

    def _gap(self) -> Frame:
        lost = self._all_lost()
        count, self._lost_told = lost - self._lost_told, lost
        return Frame(LOST, self._utc_ns(), "", msgspec.msgpack.encode(count))


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror.lower()}; make room and start again"
    return f"{type(error).__name__}: {error}"
