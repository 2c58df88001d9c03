"""What of a recording could not be used, as log lines: at the first row, and once in all."""

from typing import Any

import msgspec

from actors.log import logger
from decisions.dropped_rows import dropped_of, dropped_text
from messages.ids import ActorPath
from messages.market import FeedReport


class DroppedLog:
    """Told of all that Metrics sees, on its thread; metrics themselves may be off."""

    def __init__(self) -> None:
        self._newest: dict[ActorPath, FeedReport] = {}
        self._told = set[str]()
        self._summed_up = set[ActorPath]()

    def observe(self, message: Any) -> None:
        """Look at a feed's report: warn of its first row at once, and sum up at its end."""
        if not isinstance(message, FeedReport):
            return
        self._newest[message.feed] = message
        if message.ended:
            self._sum_up(message)
        else:
            self._warn(message)

    def close(self) -> None:
        """Sum up where the run was stopped before the end of its files."""
        for report in self._newest.values():
            self._sum_up(report)

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
