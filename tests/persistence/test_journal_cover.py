"""What a journal is said to cover is there; gaps, kills and old segments are never covered."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.outside import Origin
from persistence.frames import Frame, lost_frame
from persistence.journal import JournalWriter, segments
from persistence.journal_cover import CoverReader, Span

ACTOR = "execution/executor"


def message(at_ns: int, origin: int = Origin.TIMER, path: str = ACTOR) -> Frame:
    return Frame(origin, at_ns, path, b"x")


class Life:
    """One process that keeps a journal from a moment on."""

    def __init__(self, folder: Path, begun_ns: int, rotate_bytes: int = 1 << 20) -> None:
        self.now_ns = begun_ns
        self.writer = JournalWriter(folder, lambda: self.now_ns, rotate_bytes=rotate_bytes)

    def write(self, *frames: Frame) -> None:
        self.now_ns = max([self.now_ns, *(frame.at_ns for frame in frames)])
        self.writer.write(list(frames))

    def end(self, at_ns: int) -> None:
        self.now_ns = at_ns
        self.writer.seal()
        self.writer.close()

    def die(self) -> None:
        self.writer.close()


class Read(CoverReader):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ACTOR)
        self.moments = [frame.at_ns for frame in self.frames()]


def read(folder: Path) -> Read:
    return Read(folder)


def test_a_process_that_ended_in_order_is_covered_from_its_beginning(tmp_path: Path) -> None:
    life = Life(tmp_path / "j", 10)
    life.write(message(20, Origin.VENUE), message(25, path="feeds/x"), message(30))
    life.end(40)

    cover = read(tmp_path / "j")

    assert cover.spans == [Span(10, 40)]
    assert cover.moments == [20, 30]
    assert cover.covers_process(9)
    assert not cover.covers_process(11)
    assert not cover.covers(9, 20)
    assert not cover.covers(20, 40)


def test_a_killed_one_is_covered_to_the_last_that_was_taken(tmp_path: Path) -> None:
    life = Life(tmp_path / "j", 10)
    life.write(message(20), message(30))
    life.die()

    cover = read(tmp_path / "j")

    assert cover.spans == [Span(10, 30)]
    assert not cover.covers_process(9)


def test_what_an_actor_says_of_itself_in_the_middle_of_a_group_begins_nothing(
    tmp_path: Path,
) -> None:
    life = Life(tmp_path / "j", 10)
    life.write(lost_frame(3, 12, 15), message(20, Origin.VENUE), message(25, Origin.INSIDE))
    life.write(message(30), message(35, Origin.INSIDE))
    life.die()

    assert read(tmp_path / "j").spans == [Span(30, 35)]


def test_after_a_kill_what_may_have_been_in_hand_is_not_covered(tmp_path: Path) -> None:
    Life(tmp_path / "j", 10).die()
    life = Life(tmp_path / "j", 50)
    life.write(message(60, Origin.VENUE), message(70), message(80))
    life.end(90)

    assert read(tmp_path / "j").spans == [Span(70, 90)]


def test_rotation_goes_on_and_retired_segments_are_not_covered(tmp_path: Path) -> None:
    life = Life(tmp_path / "j", 10, rotate_bytes=60)
    for at_ns in range(20, 80, 10):
        life.write(message(at_ns))
    life.end(90)
    assert len(segments(tmp_path / "j")) > 3
    assert read(tmp_path / "j").spans == [Span(10, 90)]

    segments(tmp_path / "j")[0].unlink()
    assert read(tmp_path / "j").spans == [Span(30, 90)]
    segments(tmp_path / "j")[1].unlink()
    spans = read(tmp_path / "j").spans
    assert spans[-1] == Span(50, 90)
    assert read(tmp_path / "j").damages == []


def test_a_segment_that_is_retired_while_it_is_read_is_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(tmp_path / "j", 10, rotate_bytes=60)
    for at_ns in range(20, 80, 10):
        life.write(message(at_ns))
    life.end(90)
    listed = segments(tmp_path / "j")
    monkeypatch.setattr("persistence.journal_cover.segments", lambda _: listed)
    listed[0].unlink()
    assert read(tmp_path / "j").spans == [Span(30, 90)]

    listed[2].unlink()
    assert read(tmp_path / "j").spans[-1] == Span(50, 90)


@pytest.mark.parametrize("since_ns", [25, None])
def test_a_gap_is_not_covered(tmp_path: Path, since_ns: int | None) -> None:
    life = Life(tmp_path / "j", 10)
    old = Frame(0, 50, "", b"\x03")  # as it was written before its beginning was noted
    gap = old if since_ns is None else lost_frame(3, since_ns, 50)
    life.write(message(20), message(30), gap, message(45), message(60), message(70))
    life.end(90)

    spans = [Span(10, 25)] if since_ns else []
    assert read(tmp_path / "j").spans == [*spans, Span(60, 90)]


def test_a_torn_tail_is_no_damage_and_a_flipped_bit_is(tmp_path: Path) -> None:
    life = Life(tmp_path / "j", 10)
    life.write(message(20), message(30), message(40))
    life.die()
    path = segments(tmp_path / "j")[0]
    os.truncate(path, path.stat().st_size - 3)
    assert read(tmp_path / "j").spans == [Span(10, 30)]
    assert read(tmp_path / "j").damages == []

    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    assert [found.damage.is_torn for found in read(tmp_path / "j").damages] == [False]


def test_a_clock_that_was_set_back_ends_a_span(tmp_path: Path) -> None:
    life = Life(tmp_path / "j", 100)
    life.write(message(200), message(300), message(150), message(250), message(400), message(500))
    life.end(600)

    assert read(tmp_path / "j").spans == [Span(100, 150), Span(400, 600)]


def test_moments_that_were_there_twice_are_not_covered_by_the_first_of_them(
    tmp_path: Path,
) -> None:
    """What came after the clock was set back was lost: by its moments it seems to be there."""
    life = Life(tmp_path / "j", 100)
    life.write(message(300), message(150), lost_frame(1, 160, 170))
    life.die()
    assert not read(tmp_path / "j").covers(155, 165)

    Life(tmp_path / "k", 100).end(400)
    again = Life(tmp_path / "k", 200)
    again.write(message(210))
    again.die()
    cover = read(tmp_path / "k")
    assert cover.covers(150, 199)
    assert not cover.covers(150, 250)


def test_only_what_lies_in_the_last_span_is_covered_to_the_end(tmp_path: Path) -> None:
    Life(tmp_path / "j", 10).end(50)
    Life(tmp_path / "j", 60).end(90)

    cover = read(tmp_path / "j")

    assert cover.covers_to_end(61, started_ns=59)
    assert not cover.covers_to_end(11, started_ns=59)
    assert not cover.covers_to_end(61, started_ns=95)


def test_a_process_over_which_no_time_passed_covers_nothing(tmp_path: Path) -> None:
    Life(tmp_path / "j", 10).end(10)

    cover = read(tmp_path / "j")

    assert not cover.covers_process(9)
    assert not cover.covers_to_end(10, started_ns=9)


@pytest.mark.slow
@given(st.data())
def test_whatever_happens_to_a_journal_what_is_covered_is_there(data: st.DataObject) -> None:
    """Each message is answered by a step behind its group; a covered step has its message.

    That the clock was set back shows only in what is there: no tail is lost then.
    """
    sets_clock = data.draw(st.booleans())
    with tempfile.TemporaryDirectory() as name:
        folder, steps = Path(name) / "j", list[tuple[int, int]]()
        now_ns = 1
        for _ in range(data.draw(st.integers(1, 4))):
            if sets_clock:
                now_ns = max(now_ns - data.draw(st.sampled_from([0, 8, 30])), 1)
            now_ns = _live(folder, now_ns + 5, data, steps, shows_clock=sets_clock)
        there = segments(folder) if folder.exists() else []
        for path in there[: 0 if sets_clock else data.draw(st.integers(0, len(there)))]:
            path.unlink()
        cover = read(folder)
        moments = set(cover.moments)

    for taken_ns, step_ns in steps:
        # The order was claimed at any moment before its message was taken.
        for claimed_ns in range(max(taken_ns - 3, 0), taken_ns):
            assert taken_ns in moments or not cover.covers(claimed_ns, step_ns)


def _live(
    folder: Path,
    now_ns: int,
    data: st.DataObject,
    steps: list[tuple[int, int]],
    *,
    shows_clock: bool,
) -> int:
    keeps = shows_clock or data.draw(st.booleans())
    life = Life(folder, now_ns, rotate_bytes=80) if keeps else None
    lost: list[int] = []
    for kind in data.draw(st.lists(st.sampled_from(["venue", "timer", "group", "lost"]))):
        taken: list[Frame] = []
        for _ in range(3 if kind == "group" else 1):
            now_ns += 2
            origin = Origin.TIMER if kind == "timer" else Origin.VENUE
            taken.append(message(now_ns, origin))
        now_ns += 1
        steps += [(frame.at_ns, now_ns) for frame in taken]
        if kind == "lost":
            lost += [frame.at_ns for frame in taken]
        elif life is not None:
            gap = [lost_frame(len(lost), lost[0], now_ns)] if lost else []
            lost = []
            life.write(*gap, *taken)
    if life is not None:
        if data.draw(st.booleans()) and not lost:
            life.end(now_ns + 1)
        else:
            if lost and shows_clock:
                life.write(lost_frame(len(lost), lost[0], now_ns + 1))
            _die(life, data, is_torn=not shows_clock)
    return now_ns + 2


def _die(life: Life, data: st.DataObject, *, is_torn: bool) -> None:
    life.die()
    path = life.writer.segment
    if is_torn:
        os.truncate(path, data.draw(st.integers(0, path.stat().st_size)))


def test_a_journal_that_is_not_there_covers_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "j").spans == []
