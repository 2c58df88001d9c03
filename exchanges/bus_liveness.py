"""Whether the publisher of a stream is heard, and what it says of its own market. Pure.

The bus may be well while nobody speaks on it, and the publisher well while its exchange is not:
what it says of itself is what its readers say.
"""

from typing import NamedTuple

from exchanges.bus_frames import pulse_of
from messages.bus import BusPulse
from messages.ids import NS_PER_MS, NS_PER_S
from messages.market import FeedPhase

AHEAD_NS = 60 * NS_PER_S
"""How far an event may be ahead of the clock: the clocks of three machines have a say in it."""
_BEHIND = (
    f"this machine's clock is more than {AHEAD_NS // NS_PER_S} s behind the publisher's, so that"
    " what happens now would be in the future: set the one that is wrong"
)


class Stale(Exception):
    """The bus is well and nobody speaks on it."""


class Standing(NamedTuple):
    """How the market on the bus is."""

    phase: FeedPhase
    reason: str
    skew_ms: int | None


class Liveness:
    """Of one connection."""

    def __init__(self, now_ns: int) -> None:
        self._pulse: BusPulse | None = None
        self._heard_ns = now_ns
        self._is_behind = False

    def hear(self, payload: bytes, now_ns: int, utc_ns: int | None = None) -> None:
        """Take a pulse. `utc_ns` is None where the market has a clock of its own.

        Raises:
            NoFrame: it is none.
        """
        self._pulse = pulse_of(payload)
        self._heard_ns = now_ns
        self._is_behind = utc_ns is not None and self._pulse.ts_ns > utc_ns + AHEAD_NS

    def check(self, now_ns: int, quiet_ms: int) -> None:
        """Pass when somebody was heard of late.

        Raises:
            Stale: nobody was for longer than this.
        """
        silent_ms = (now_ns - self._heard_ns) // NS_PER_MS
        if silent_ms > quiet_ms:
            raise Stale(f"no publisher was heard for {silent_ms / 1000:.1f} s")

    @property
    def writer(self) -> str:
        """Who was heard last; empty before anybody was."""
        return "" if self._pulse is None else self._pulse.writer

    @property
    def skew_ms(self) -> int | None:
        """The exchange's clock minus ours, as the publisher has it."""
        return None if self._pulse is None else self._pulse.skew_ms

    def standing(self) -> Standing | None:
        """Say how the market is; None before anybody was heard."""
        pulse = self._pulse
        if pulse is None:
            return None
        if pulse.phase is FeedPhase.STOPPED:
            return Standing(FeedPhase.STALE, "the publisher has ended", pulse.skew_ms)
        if self._is_behind:
            return Standing(FeedPhase.STALE, _BEHIND, pulse.skew_ms)
        told = pulse.reason
        if not told and pulse.phase is not FeedPhase.LIVE:
            told = str(pulse.phase)
        reason = f"the publisher: {told}" if told else ""
        return Standing(pulse.phase, reason, pulse.skew_ms)
