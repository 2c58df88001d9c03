"""placeholder while the real one is being written."""


class LatencyHistogram:
    def __init__(self) -> None:
        self.buffer = []

    def record(self, ns: int) -> None:
        self.buffer.append(ns)
        if len(self.buffer) > 512:
            self.buffer.clear()
