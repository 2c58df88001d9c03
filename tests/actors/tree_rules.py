"""OTP's rules for a tree, on plain data and a plain clock, with the backoff that is ours."""

from collections import Counter
from collections.abc import Iterator

from decisions.supervisor import Restart, Strategy
from messages.ids import NS_PER_MS

WINDOW_MS, MOST_MS, RESET_MS = 10_000, 1_000, 2_000
JITTER = 0.5
"""What chance always says: a wait is three quarters of its most."""


class Node:
    """A child; with a strategy, a supervisor too. `kind` says whose failing starts it has."""

    def __init__(
        self,
        path: str,
        kind: str = "",
        restart: Restart = Restart.PERMANENT,
        strategy: Strategy | None = None,
        limit: int = 0,
        least_ms: int = 0,
    ) -> None:
        self.path, self.kind, self.restart = path, kind or path, restart
        self.strategy, self.limit, self.least_ms = strategy, limit, least_ms
        self.parent: Node | None = None
        self.given: list[Node] = []
        self.known: list[Node] = []
        self.up = self.waiting = False
        self.due_ns: int | None = None
        self.attempt = self.started_ns = 0
        self.at_ns: list[int] = []

    def over(self, *children: "Node") -> "Node":
        """Put this supervisor over its children."""
        self.given = list(children)
        for child in children:
            child.parent = self
        return self

    def all(self) -> "Iterator[Node]":
        """Give it, and all below it that its supervisors know."""
        yield self
        for child in self.known:
            yield from child.all()


class Tree:
    """Who is up, as which incarnation, and when who is started again."""

    def __init__(self, root: Node) -> None:
        self.root, self.now_ns = root, 0
        self.epoch: Counter[str] = Counter()
        self.failing: Counter[str] = Counter()

    def start(self, node: Node) -> bool:
        """Start it; a supervisor is up when all its children are, or none stays up."""
        node.waiting, node.due_ns, node.started_ns = False, None, self.now_ns
        self.epoch[node.path] += 1
        if self.failing[node.kind]:
            self.failing[node.kind] -= 1
            return False
        node.known, node.at_ns = list(node.given), []
        for child in node.known:
            child.attempt, child.waiting, child.due_ns = 0, False, None
        node.up = all(self.start(child) for child in node.known)
        if not node.up:
            self.stop(node)
        return node.up

    def stop(self, node: Node) -> None:
        """It goes down with all below it; dynamic children are forgotten with that."""
        for one in list(node.all()):
            one.up, one.waiting, one.due_ns = False, False, None

    def ended(self, node: Node, *, failure: bool) -> None:
        """It ended by itself, or gave up."""
        self.stop(node)
        if node.parent is None:
            return
        if node.restart is Restart.PERMANENT or (node.restart is Restart.TRANSIENT and failure):
            self.again(node)
        elif node.restart is Restart.TEMPORARY or not node.parent.given:
            node.parent.known.remove(node)

    def again(self, node: Node) -> None:
        """Have it started after a while, with those that go down with it; or the one above ends."""
        above = node.parent
        assert above is not None
        since_ns = self.now_ns - WINDOW_MS * NS_PER_MS
        above.at_ns = [at for at in above.at_ns if at >= since_ns] + [self.now_ns]
        if len(above.at_ns) > above.limit:
            self.ended(above, failure=False)
            return
        for other in [one for one in self.group(node) if one is not node]:
            self.stop(other)
            other.waiting = other.restart is not Restart.TEMPORARY
            if not other.waiting:
                above.known.remove(other)
        lived_ns = self.now_ns - node.started_ns
        node.attempt = 1 if lived_ns > RESET_MS * NS_PER_MS else node.attempt + 1
        most_ms = min(above.least_ms * 2 ** (node.attempt - 1), MOST_MS)
        node.waiting, node.due_ns = True, self.now_ns + most_ms * NS_PER_MS * 3 // 4

    def group(self, node: Node) -> list[Node]:
        """Those that go down and come back with it."""
        above = node.parent
        assert above is not None
        if above.strategy is Strategy.ONE_FOR_ALL:
            return list(above.known)
        if above.strategy is Strategy.REST_FOR_ONE:
            return above.known[above.known.index(node) :]
        return [node]

    def advance(self, to_ns: int) -> None:
        """Let time pass, with all that is due in it."""
        while due := [n for n in self.root.all() if n.due_ns is not None and n.due_ns <= to_ns]:
            node = min(due, key=lambda n: n.due_ns or 0)
            self.now_ns = node.due_ns or 0
            failed = (n for n in self.group(node) if n.waiting and not self.start(n))
            if (first := next(failed, None)) is not None:
                self.again(first)
        self.now_ns = to_ns
