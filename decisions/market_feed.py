"""Flow control of a feed: what to send to whom, and when. Nothing is lost, nothing runs away."""

from collections.abc import Iterable

import msgspec

from messages.ids import ActorPath, Epoch, TimestampNs


class Follower(msgspec.Struct, kw_only=True):
    """How far one receiver of a feed has come; places count events from 0."""

    next_index: int = 0
    """It has finished everything below."""
    sent_index: int = 0
    """It was sent everything below, in this incarnation."""
    epoch: Epoch = Epoch(0)
    gone: bool = False
    """Halted or stopped: it is not sent anything and nobody waits for it."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Events to send to one follower: from `first` up to, not including, `stop`."""

    follower: ActorPath
    first: int
    stop: int


class FlowControl:
    """Sends again what a restart lost, and never more than a window ahead of the slowest."""

    def __init__(
        self, followers: Iterable[ActorPath], window: int, leaders: Iterable[ActorPath] = ()
    ) -> None:
        self.followers = {path: Follower() for path in followers}
        self.window = window
        self.leaders = frozenset(leaders)
        """They finish an event before anybody else is sent it."""

    @property
    def floor(self) -> int | None:
        """The first event that somebody may still need; None when all followers are gone."""
        return min((one.next_index for one in self._present()), default=None)

    def observe(self, path: ActorPath, epoch: Epoch, *, gone: bool) -> None:
        """Learn which incarnation a follower is and whether it is halted or stopped.

        A new incarnation, or one that is back, is sent all that it had not finished.
        """
        one = self.followers[path]
        is_other = epoch != one.epoch or (one.gone and not gone)
        one.epoch, one.gone = epoch, gone
        if is_other:
            self.rewind(path)

    def rewind(self, path: ActorPath) -> None:
        """Forget what was sent to a follower and not finished by it."""
        one = self.followers[path]
        one.sent_index = one.next_index

    def on_ack(self, path: ActorPath, next_index: int) -> None:
        """Learn how far a follower came; a late word changes nothing, a stranger's neither."""
        one = self.followers.get(path)
        if one is not None:
            one.next_index = max(one.next_index, next_index)
            one.sent_index = max(one.sent_index, one.next_index)

    def sendable(self, limit: int) -> list[Span]:
        """Give what may be sent now, of the `limit` events that the source has so far.

        Changes nothing: call `sent` for each span that was sent.
        """
        floor = self.floor
        if floor is None:
            return []
        stop = min(limit, floor + self.window)
        ahead = [self.followers[path] for path in self.leaders]
        behind = min([stop, *(one.next_index for one in ahead if not one.gone)])
        return [
            Span(follower=path, first=one.sent_index, stop=end)
            for path, one in self.followers.items()
            if not one.gone and one.sent_index < (end := stop if path in self.leaders else behind)
        ]

    def sent(self, span: Span) -> None:
        """Remember that a span was sent."""
        self.followers[span.follower].sent_index = span.stop

    def finished(self, end: int) -> bool:
        """Whether everybody who is left has finished all `end` events, and somebody is left."""
        floor = self.floor
        return floor is not None and floor >= end

    def is_behind(self, end: int) -> bool:
        """Whether somebody who is left has not finished all `end` events yet."""
        floor = self.floor
        return floor is not None and floor < end

    def _present(self) -> list[Follower]:
        return [one for one in self.followers.values() if not one.gone]


def due_ns(
    event_ts: TimestampNs, first_ts: TimestampNs, started_ns: TimestampNs, speed: float
) -> TimestampNs:
    """Give when an event is to be sent so that market time passes `speed` times as fast.

    0 is as fast as possible: everything was due at the start.
    """
    if speed == 0:
        return started_ns
    return TimestampNs(started_ns + round((event_ts - first_ts) / speed))
