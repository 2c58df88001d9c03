"""How publishing goes, for whoever looks at it from outside."""

import msgspec

from messages.market import FeedPhase


class WriterState(msgspec.Struct):
    """How publishing goes. Written on the loop; any thread may read it."""

    phase: FeedPhase = FeedPhase.CONNECTING
    reason: str = ""
    attempt: int = 0
    retry_in_ms: int = 0
    next_index: int = 0
    """Every event of the feed below is in the stream."""
    published: int = 0
    repeated: int = 0
    """The stream had them already, from a publisher before."""
    ticks: int = 0
    foreign: int = 0
    """Payloads on our subjects that no publisher of ours has written."""
    waiting: int = 0
