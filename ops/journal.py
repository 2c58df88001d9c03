"""The journal of a run: what came from outside, as each actor took it, on a thread of its own.

An actor pays for one append to a queue. A full disk costs messages, which are counted, and a
sentence in `health`; once there is room the journal goes on, with a frame that tells of the gap.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from actors.log import logger
from actors.notes import Note
from messages.codec import to_msgpack
from messages.ids import ActorPath
from messages.lifecycle import Supervise
from messages.market import MarketBatch
from messages.outside import OUTSIDE, Origin
from messages.recorded import RunBegun, StrategyStands
from ops.config import Config
from ops.config_records import JournalConfig, JournalWhen
from ops.run_dir import RunDir
from persistence.frames import Frame, fits, lost_frame, packed
from persistence.journal import JournalWriter, Retention
from persistence.rotation import RESERVE_BYTES

FLUSH_S = 0.2
CLOSE_S = 10.0
RETRY_S = 5.0
"""After a disk refused, so long until it is tried again."""
MOST_WAITING = 200_000
_ROUNDS = 2_000
"""Messages that are written at once."""
TURN = 16
"""Messages packed in one turn of the interpreter, some 0.1 ms: an order waits for no more."""
PAUSE_S = 1e-3
"""What others have between two turns; a thread that only lets go is back before they are done."""
MUCH = 4_096
"""With so many waiting there are no pauses: without an end to it messages would be lost."""

Entry = tuple[Origin, int, ActorPath, Note]
Packed = tuple[int, bytes]
"""The moment of a frame (UTC ns), and its bytes."""
STRATEGIES = "execution/strategies/"


def journal_for(config: Config, run_dir: RunDir, utc_ns: Callable[[], int]) -> "Journal | None":
    """Give the journal of a run; None where the config wants none."""
    is_live = config.feed.is_live
    when = config.journal.when
    if when is JournalWhen.NEVER or (when is JournalWhen.LIVE and not is_live):
        return None
    # A live feed's batches follow from the news that it took, but for which events came too late
    # to act on; so those of its strategies are kept. Those of a recording are all there is of it.
    return Journal(config.journal, run_dir, utc_ns, keeps_batches=not is_live)


class Journal:
    """`record` and `note` on any actor's thread, `summary` on any."""

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
        self._keeps_batches = keeps_batches
        self.begun: RunBegun | None = None
        """Set before `start`: what stands at the head of each segment."""
        self.stretch = 1
        """How often a segment was begun, or went on after a gap; see `actors.notes`."""
        self._headed = ""
        self._standing_bytes = 0
        """Of the present segment, what says how strategies stand."""
        self._writer: JournalWriter | None = None
        self._frames = self._lost_told = 0
        self._lost = 0
        """Messages that were not even queued; each actor's thread counts."""
        self._unwritten = 0
        """Messages that were, and cannot be packed, or the disk did not take them."""
        self._lost_since_ns = 0
        """When the first was lost of which no frame tells yet; 0 while there is none."""
        self._unpacked_told = False
        self._in_hand = 0
        """Messages taken from the queue and not yet written: lost, once nothing is written more."""
        self.problem = ""
        """Why nothing is written now; empty while it is."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def record(self, path: ActorPath, message: Any, *, is_timer: bool) -> None:
        """Keep a message that an actor takes now, if it came from outside. Never blocks."""
        kind = type(message)
        origin = Origin.TIMER if is_timer else self._origins.get(kind)
        if origin is None or kind is Supervise:
            return
        if kind is MarketBatch and not self._keeps_batches:
            if not path.startswith(STRATEGIES):
                return
            origin = Origin.INSIDE
        self._take(origin, path, message)

    def note(self, path: ActorPath, message: Note) -> None:
        """Keep what an actor says of itself. Never blocks."""
        self._take(Origin.INSIDE, path, message)

    def _take(self, origin: Origin, path: ActorPath, message: Note) -> None:
        if self.problem or len(self._waiting) >= MOST_WAITING:
            self._lost_since_ns = self._lost_since_ns or self._utc_ns()
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
            self._round()
            while not self._over.wait(RETRY_S if self.problem else FLUSH_S):
                self._round()
            self._round()
            if self._writer is not None and not self.problem:
                self._writer.seal()
        except Exception as error:  # noqa: BLE001 - whatever it is, trading goes on
            self._stand_still(f"{type(error).__name__}: {error}")
        finally:
            if self._writer is not None:
                self._writer.close()

    def _round(self) -> None:
        """Write what waits; a disk that refuses is tried again in a later round."""
        try:
            if self._writer is None:
                self._writer = self._open()
            if self.problem:
                self._go_on(self._writer)
            self._flush(self._writer)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self._stand_still(f"{reason}; it goes on when there is room")

    def _stand_still(self, problem: str) -> None:
        """Nothing is queued from now on; what was is lost."""
        if not self.problem:
            logger.bind(actor="journal").error("the journal is not written: {}", problem)
        self.problem = problem
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if waiting:
            self._note_lost(waiting[0][1], len(waiting))

    def _go_on(self, writer: JournalWriter) -> None:
        """Tell of the gap first: only what is taken after it is queued again."""
        missing = self._all_lost() - self._lost_told
        self._write(writer, [])
        self.problem = ""
        text = "the journal is written again; {} message(s) are missing from it"
        logger.bind(actor="journal").warning(text, missing)

    def _open(self) -> JournalWriter:
        settings = self._settings
        writer = JournalWriter(
            self._run_dir.journal,
            self._utc_ns,
            rotate_bytes=settings.rotate_mb * 1_000_000,
            retention=Retention(settings.keep, settings.keep_mb, settings.keep_days),
            fence=self._run_dir.fence,
            reserve_bytes=RESERVE_BYTES,
        )
        if writer.mended is not None:
            segment, damage = writer.mended
            text = "cut off" if damage.is_torn else "left as it is"
            logger.bind(actor="journal").warning(
                "{} is damaged at byte {}: {}; {}", segment.name, damage.offset, damage.reason, text
            )
        return writer

    def _flush(self, writer: JournalWriter) -> None:
        """Write what waits now; what comes meanwhile has the next round, if there is one."""
        left = len(self._waiting)
        while left > 0 or self._all_lost() > self._lost_told:
            self._write(writer, self._pack(min(left, _ROUNDS)))
            may_wait = 0 if self._over.is_set() else MUCH
            left = max(left - _ROUNDS, len(self._waiting) - may_wait)

    def _pack(self, count: int) -> list[Packed]:
        """Pack some of what waits, in short turns: each commit needs the interpreter ten times."""
        frames: list[Packed] = []
        waiting = self._waiting
        for number in range(count):
            if number and not number % TURN and len(waiting) < MUCH:
                self._over.wait(PAUSE_S)
            entry = waiting.popleft()
            self._in_hand += 1
            if (frame := self._frame(*entry)) is not None:
                frames.append(frame)
        return frames

    def _write(self, writer: JournalWriter, frames: list[Packed]) -> None:
        """Write them, and after them what is missing that no frame tells of yet.

        Raises:
            OSError: those that are not written are lost, too.
        """
        segment = writer.segment.name
        if frames and segment != self._headed:
            # Of memories that fill a segment by themselves each would have them said once more.
            is_of_memories = 2 * self._standing_bytes > self._settings.rotate_mb * 1_000_000
            self.stretch += bool(self._headed) and not is_of_memories
            self._standing_bytes = 0
            frames = [*self._head(frames[0][0]), *frames]
        self._in_hand = len(frames)
        since_ns, self._lost_since_ns = self._lost_since_ns, 0  # first: a later loss says it anew
        lost = self._all_lost()
        count, before = lost - self._lost_told, writer.written
        gap = [packed(lost_frame(count, since_ns, self._utc_ns()))] if count else []
        try:
            writer.write_packed([*(content for _, content in frames), *gap])
        finally:
            written = writer.written - before
            self._frames += written
            self._in_hand = 0
            if written:
                self._headed = segment
            if gap and written > len(frames):
                self._lost_told = lost
                self.stretch += 1
            else:
                self._lost_since_ns = _earlier(since_ns, self._lost_since_ns)
            if written < len(frames):
                self._note_lost(frames[written][0], len(frames) - written)

    def _head(self, at_ns: int) -> list[Packed]:
        """Say whose segment it is, at the moment of its first message."""
        if self.begun is None:
            return []
        frame = self._frame(Origin.INSIDE, at_ns, ActorPath(""), self.begun)
        return [] if frame is None else [frame]

    def _note_lost(self, since_ns: int, count: int) -> None:
        self._lost_since_ns = _earlier(since_ns, self._lost_since_ns)
        self._unwritten += count

    def _all_lost(self) -> int:
        return self._lost + self._unwritten

    def _frame(self, origin: Origin, at_ns: int, path: ActorPath, message: Any) -> Packed | None:
        """Pack a message; None for one that cannot be, which is lost alone."""
        try:
            message = message() if callable(message) else message
            frame = Frame(origin, at_ns, path, to_msgpack(message))
            problem = "" if fits(frame) else f"{len(frame.payload)} bytes are too many"
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are kept
            problem = type(error).__name__
        if not problem:
            if isinstance(message, StrategyStands):
                self._standing_bytes += len(frame.payload)
            return at_ns, packed(frame)
        self._note_lost(at_ns, 1)
        if not self._unpacked_told:
            self._unpacked_told = True
            kind = type(message).__name__
            logger.bind(actor="journal").error(
                "a {} for {} cannot be kept: {}; others are only counted", kind, path, problem
            )
        return None


def _earlier(one_ns: int, other_ns: int) -> int:
    """Give the earlier of two moments, of which 0 is none."""
    return min(one_ns, other_ns) if one_ns and other_ns else one_ns or other_ns
