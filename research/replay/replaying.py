"""One journal, all its processes and strategies: what is replayed, in the order of the journal."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from messages.codec import from_msgpack
from messages.errors import CodecError
from messages.ids import EXECUTOR
from messages.orders import OrderIntent
from messages.outside import Origin
from messages.patience import Patience, loaded
from messages.recorded import RunBegun
from persistence.frames import Frame
from research.replay.code import Cast, Otherwise, cast_of
from research.replay.found import Divergence, Findings
from research.replay.judging import Judging
from research.replay.life import LineSettings
from research.replay.line import Line
from research.replay.reading import Break, JournalReader, Place
from research.texts import moment

STRATEGIES = "execution/strategies/"
_BREAKS_KEPT = 10
ADDED_SINCE = tuple(
    field.name for field in msgspec.structs.fields(OrderIntent) if not field.required
)
UNREADABLE = "in records that cannot be read"
NO_SETTINGS = "of a process that does not say with which settings it ran"


class Replay:
    """`run` once. `report` is told each divergence, in the order of the journal."""

    def __init__(
        self,
        folder: Path,
        otherwise: Otherwise,
        report: Callable[[Divergence], object],
        patience: Patience | None = None,
    ) -> None:
        self._folder, self._otherwise, self._report = folder, otherwise, report
        self._patience = patience or Patience()
        self.findings = Findings()
        self._judging = Judging(self.findings, self._diverges)
        self._lines: dict[str, Line] = {}
        self._process = ""

    def run(self, on_progress: Callable[[float], object]) -> JournalReader:
        """Go through the journal; give who has read it.

        Raises:
            ConfigError: what is to be replayed in another way does not fit the run.
        """
        reader = JournalReader(self._folder, on_progress)
        with self._patience.watching():
            for item in reader:
                if isinstance(item, Break):
                    self._break(item)
                elif item.path.startswith(STRATEGIES) or item.origin == Origin.INSIDE:
                    self._take(item, reader.place)
        return reader

    def _take(self, frame: Frame, place: Place) -> None:
        try:
            message = from_msgpack(frame.payload)
        except CodecError as error:
            self._unreadable(frame, place, error)
            return
        if isinstance(message, RunBegun):
            self._begun(message)
        elif frame.path.startswith(STRATEGIES):
            line = self._lines.get(frame.path)
            if line is not None:
                if isinstance(message, OrderIntent):
                    self._look_for_what_it_lacks(frame, line)
                line.take(message, frame.at_ns, place)
            elif frame.origin == Origin.INSIDE:
                self.findings.not_compared[NO_SETTINGS] += 1
        elif frame.path == EXECUTOR:
            self._judging.take(message, frame.at_ns, place)

    def _look_for_what_it_lacks(self, frame: Frame, line: Line) -> None:
        """Find what a version that wrote decisions did not know yet: it is not compared."""
        written = msgspec.msgpack.decode(frame.payload)
        lacking = [name for name in ADDED_SINCE if name not in written]
        if lacking:
            line.unknown = frozenset(lacking)
            text = "the run's decisions are of an older version, and are compared without"
            self.findings.note(f"{text} {', '.join(lacking)}")

    def _begun(self, begun: RunBegun) -> None:
        if begun.process == self._process:
            return  # the head of a next segment
        self._process = begun.process
        cast = self._cast(begun)
        for note in (note for one in cast for note in one.notes):
            self.findings.note(note)
        before = self._lines
        self._lines = {
            path: Line(
                _settings(begun, one, self._otherwise, self._patience),
                self.findings,
                self._diverges,
                old,
            )
            for one in cast
            for path in (f"{STRATEGIES}{one.ran.id}",)
            for old in (before.get(path),)
        }

    def _cast(self, begun: RunBegun) -> tuple[Cast, ...]:
        return loaded(self._patience, lambda: cast_of(begun, self._otherwise))

    def _diverges(self, divergence: Divergence) -> None:
        self.findings.divergences[divergence.kind] += 1
        self._report(divergence)

    def _unreadable(self, frame: Frame, place: Place, error: CodecError) -> None:
        self.findings.cannot_read(str(error), f"{place}, {moment(frame.at_ns)}")
        if frame.origin == Origin.INSIDE:
            self.findings.not_compared[UNREADABLE] += 1
        line = self._lines.get(frame.path)
        if line is not None:
            line.cut(is_end=False)

    def _break(self, item: Break) -> None:
        self._tell_break(item.text, item.at_ns)
        for line in self._lines.values():
            line.cut(is_end=item.is_end)

    def _tell_break(self, text: str, at_ns: int | None) -> None:
        findings = self.findings
        if len(findings.breaks) < _BREAKS_KEPT:
            findings.breaks.append(f"{text}, {moment(at_ns)}" if at_ns else text)
        else:
            findings.more_breaks += 1


def _settings(begun: RunBegun, one: Cast, otherwise: Otherwise, patience: Patience) -> LineSettings:
    return LineSettings(
        id=one.ran.id,
        account=begun.account,
        symbols=one.ran.symbols,
        timeframe_ns=begun.timeframe_ns,
        build=one.build,
        is_what_if=otherwise.is_asked,
        is_replayed=begun.is_replayed,
        patience=patience,
    )
