"""Metric lines of a process that was overtaken do not reach the file, however many it holds."""

from pathlib import Path

import pytest

from persistence.lines import RotatingLines

LINE = b"x" * 999 + b"\n"


class Overtaken(Exception):
    pass


class Fence:
    is_up = False
    asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.is_up:
            raise Overtaken


@pytest.fixture
def fence() -> Fence:
    return Fence()


@pytest.fixture
def lines(tmp_path: Path, fence: Fence) -> RotatingLines:
    return RotatingLines(tmp_path / "metrics.ndjson", 10**9, 1, fence)


def test_the_fence_is_asked_for_a_buffer_and_not_for_a_line(
    lines: RotatingLines, fence: Fence
) -> None:
    for _ in range(650):
        lines.write(LINE)
    lines.close()

    assert fence.asked == 650 // 65
    assert lines.path.stat().st_size == 650_000


def test_nothing_is_written_behind_it(lines: RotatingLines, fence: Fence) -> None:
    lines.write(LINE)
    lines.flush()
    fence.is_up = True
    for _ in range(65):
        lines.write(LINE)
    with pytest.raises(Overtaken):
        lines.write(LINE)
    with pytest.raises(Overtaken):
        lines.flush()
    with pytest.raises(Overtaken):
        lines.write(b"y" * 100_000)

    assert lines.path.read_bytes() == LINE
    fence.is_up = False
    lines.close()
