"""When a venue that shows no order of ours surely has none: not before it would refuse it as late.

It takes a request until the request's timestamp plus the receive window, on its own clock, and the
timestamp is ours. Where this process signed the request, the moment is known; otherwise the request
was signed within `SEND_WITHIN_MS` of its SENT mark, or never.
"""

from collections import Counter
from collections.abc import Callable

from exchanges.capabilities import Capability
from exchanges.protocol import NEVER_PROOF, SEND_WITHIN_MS
from messages.errors import OutcomeUnknown
from messages.ids import NS_PER_MS, NS_PER_S, ClientOrderId

SIGNED_MAX = 1_000
"""So many orders of unknown outcome are remembered with the moment of their signature.

What the stream settles is never asked for. Of one that is forgotten a later moment is taken.
"""


class Absence:
    """Orders sent by this process, and from when their absence at the venue is proof.

    `ahead_ns` is by how much the venue's clock was ahead of ours when they were last compared.
    """

    def __init__(
        self, capability: Capability, recv_window_ms: int, utc_ns: Callable[[], int]
    ) -> None:
        self._capability, self._recv_window_ms, self._utc_ns = capability, recv_window_ms, utc_ns
        self.ahead_ns = 0
        self._signed_at_ns: dict[ClientOrderId, int] = {}
        self._in_flight: Counter[ClientOrderId] = Counter()

    def leaves(self, name: ClientOrderId) -> None:
        """Count a send of it that begins; `landed` is to follow."""
        self._in_flight[name] += 1

    def landed(self, name: ClientOrderId) -> None:
        """Count a send of it that is over."""
        self._in_flight[name] -= 1
        if not self._in_flight[name]:
            del self._in_flight[name]

    def is_sending(self, name: ClientOrderId) -> bool:
        """Whether it is being sent right now."""
        return self._in_flight[name] > 0

    def signed(self, name: ClientOrderId) -> None:
        """Note that its request is leaving."""
        self._signed_at_ns[name] = self._utc_ns()
        if len(self._signed_at_ns) > SIGNED_MAX:
            del self._signed_at_ns[next(iter(self._signed_at_ns))]

    def settled(self, name: ClientOrderId) -> None:
        """Forget when it was signed: what became of it is known."""
        self._signed_at_ns.pop(name, None)

    def signed_ns(self, name: ClientOrderId) -> int:
        """Give when it was signed; now, where that is not known."""
        return self._signed_at_ns.get(name, self._utc_ns())

    def provable_ns(self, name: ClientOrderId, sent_at_ns: int) -> int:
        """Give the moment on the venue's clock from which absence is proof."""
        signed_ns = self._signed_at_ns.get(name)
        latest_ns = sent_at_ns + SEND_WITHIN_MS * NS_PER_MS if signed_ns is None else signed_ns
        latest_ns = max(latest_ns, sent_at_ns) + self.ahead_ns
        return self._capability.visible_after_ns(latest_ns, self._recv_window_ms)

    def check(self, now_ns: int, provable_ns: int, sent_at_ns: int, *, still_sending: bool) -> None:
        """Pass where absence is proof. `now_ns` is the venue's time, 0 where it told none.

        Raises:
            OutcomeUnknown: it is none, none yet, or none any more.
        """
        if still_sending:
            raise OutcomeUnknown("not_seen: the order is being sent right now; ask again later")
        if not self._capability.proves_absence:
            raise OutcomeUnknown(
                f"not_seen: {self._capability.exchange} shows no such order, which is {NEVER_PROOF}"
                " there; look for it yourself"
            )
        if self._is_forgotten(now_ns, sent_at_ns):
            raise OutcomeUnknown(
                f"not_seen: {self._capability.exchange} shows no such order, which is {NEVER_PROOF}"
                " so long after it was sent; look for it yourself"
            )
        if now_ns < provable_ns:
            wait = f"in {(provable_ns - now_ns) / NS_PER_S:.1f} s" if now_ns else "later"
            raise OutcomeUnknown(
                f"not_seen: the venue shows no such order yet, which is no proof yet; ask again"
                f" {wait}",
                ask_again_ns=provable_ns,
            )

    def _is_forgotten(self, now_ns: int, sent_at_ns: int) -> bool:
        """Whether it may have ended so long ago that the venue does not know it by our id."""
        known_for_ms = self._capability.finds_ended_for_ms
        return known_for_ms is not None and now_ns > sent_at_ns + known_for_ms * NS_PER_MS
