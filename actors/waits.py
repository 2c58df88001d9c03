"""Who waits for whom: an ask that would close a ring is refused before it blocks."""

import threading

from messages.errors import WouldDeadlock
from messages.ids import ActorPath


class WaitGraph:
    """The edges of all blocking asks under way. An actor waits for at most one other."""

    def __init__(self) -> None:
        self._edges: dict[ActorPath, ActorPath] = {}
        self._lock = threading.Lock()

    def begin(self, asker: ActorPath | None, target: ActorPath) -> None:
        """Note that `asker` waits (None: somebody outside, who can close no ring).

        Raises:
            WouldDeadlock: the ring is named in the text; the edge was not added.
        """
        if asker is None:
            return
        with self._lock:
            ring = [asker, target]
            while ring[-1] != asker:
                onward = self._edges.get(ring[-1])
                if onward is None:
                    self._edges[asker] = target
                    return
                ring.append(onward)
        raise WouldDeadlock("an ask would wait for itself: " + " -> ".join(ring))

    def whom(self, asker: ActorPath) -> ActorPath | None:
        """Whom an actor waits for now; any thread."""
        return self._edges.get(asker)

    def end(self, asker: ActorPath | None) -> None:
        """The wait is over, however it ended."""
        if asker is not None:
            with self._lock:
                self._edges.pop(asker, None)
