"""What of a recording was not used, and its gaps, as log lines: in all, and the first row."""

from typing import Any

import msgspec

from actors.log import logger
from decisions.dropped_rows import dropped_of, dropped_text
from decisions.recording_gaps import FirstGaps
from messages.ids import ActorPath
from messages.market import FeedEnded, FeedGap, FeedReport
from ops.gaps_text import gaps_text


class DroppedLog:
    """Told of all that Metrics sees, on its thread; metrics themselves may be off."""

    def __init__(self) -> None:
        self._newest: dict[ActorPath, FeedReport] = {}
        self._told = set[str]()
        self._summed_up = set[ActorPath]()
        self._gaps, self._gaps_told = FirstGaps(), set[ActorPath]()

    def observe(self, message: Any) -> None:
        """Look at a feed's report: warn of its first row at once, and sum up at its end."""
        if isinstance(message, FeedGap):
            self._gaps.observe(message)
        elif isinstance(message, FeedEnded):  # after its last report come the gaps of that
            self._tell_gaps(message.feed)
        elif isinstance(message, FeedReport):
            self._report(message)

    def close(self) -> None:
        """Sum up where the run was stopped before the end of its files."""
        for report in self._newest.values():
            self._sum_up(report)
            self._tell_gaps(report.feed)

    def _report(self, message: FeedReport) -> None:
        self._newest[message.feed] = message
        if message.ended:
            self._sum_up(message)
        else:
            self._warn(message)

    def _warn(self, report: FeedReport) -> None:
        for text in report.cut_off:
            self._say_once(report.feed, text, text)
        rows = report.malformed + report.duplicate + report.out_of_order - len(report.cut_off)
        if rows and report.first_problems:
            text = f"a row is not used, and such rows are counted: {report.first_problems[0]}"
            self._say_once(report.feed, report.feed, text)

    def _say_once(self, feed: ActorPath, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            logger.bind(actor=feed).warning("{}", text)

    def _sum_up(self, report: FeedReport) -> None:
        dropped = dropped_of(report)
        if dropped is None or report.feed in self._summed_up:
            return
        self._summed_up.add(report.feed)
        text = dropped_text(msgspec.structs.asdict(dropped))
        logger.bind(actor=report.feed).warning("{}", text)

    def _tell_gaps(self, feed: ActorPath) -> None:
        """Say it once, and not as a warning: a market closes, and a quiet one has many."""
        report = self._newest.get(feed)
        gaps = None if report is None else self._gaps.of(report)
        if gaps is not None and feed not in self._gaps_told:
            self._gaps_told.add(feed)
            logger.bind(actor=feed).info("{}", gaps_text(msgspec.to_builtins(gaps)))
