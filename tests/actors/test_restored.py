"""A ledger that is a copy of another: it trades nothing until a person has said what was lost.

The copy is taken, the original sends on, the copy takes its place: that is the whole danger.
"""

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from decisions.halting import HaltState
from messages.halting import OpenListed, ResumeTrading
from messages.ids import NS_PER_S, TimestampNs
from messages.lineage import MARGIN_NS, Accepted, Copied
from messages.stops import StopState
from messages.values import OrderState as S
from messages.values import Protection, Side
from persistence.backup import accept_copy, back_up, put_back
from persistence.ledger import SqliteLedger
from tests.actors.order_path import OrderPath, fill, key_of

AGE_NS = 5 * NS_PER_S


def halt(copied: Copied) -> str:
    del copied
    return "not a record, so a halt"


def live(folder: Path, start_s: int = 1_000_000) -> OrderPath:
    """An executor whose market's clock is the wall's."""
    folder.mkdir(exist_ok=True)
    return OrderPath(folder, max_decision_age_ns=AGE_NS, start_ns=start_s * NS_PER_S).start()


def restored(tmp_path: Path, *, with_halt: bool = True) -> Path:
    """The ledger of a bot that went on after its copy was taken; then the copy took its place."""
    desk = live(tmp_path / "run")
    back_up(desk.path, tmp_path / "copy", TimestampNs(desk.runtime.clock.utc_ns()), halt)
    desk.tell(desk.intent(1))
    assert desk.sends(1) == 1
    desk.stop()
    put_back(tmp_path / "copy", desk.path, halt, desk.path.with_name("aside"))
    if not with_halt:
        ledger = SqliteLedger(desk.path)
        ledger.clear_halt()
        ledger.close()
    return desk.path


def accepted(path: Path, at_s: int, ends_stops: bool = False) -> None:
    at_ns = TimestampNs(at_s * NS_PER_S)
    word = Accepted(
        copied_at_ns=None,
        accepted_at_ns=at_ns,
        not_before_ns=TimestampNs(at_ns + MARGIN_NS),
        evidence="seen",
    )
    with closing(SqliteLedger(path)) as ledger:
        accept_copy(ledger, word, ledger.stops() if ends_stops else ())


def answer(desk: OrderPath, request: str) -> tuple[bool, str]:
    found = desk.kept.board.answer(request)
    assert found is not None
    return found.ok, found.text


def prove(desk: OrderPath) -> None:
    epoch, question, _ = desk.gateway.listed[-1]
    desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem=""))
    assert desk.kept.board.halt.state == str(HaltState.HALTED_PROVED)


@pytest.mark.parametrize("with_halt", [True, False])
def test_it_sends_nothing_though_the_decision_is_unknown_to_it(
    tmp_path: Path, with_halt: bool
) -> None:
    """The mark alone halts, whatever became of the record of the halt."""
    restored(tmp_path, with_halt=with_halt)
    desk = live(tmp_path / "run")

    desk.tell(desk.intent(1))  # the same decision that was sent after the copy was taken

    assert desk.sends(1) == 0
    assert desk.order(1).state is S.REFUSED


@pytest.mark.parametrize("despite_open", [True, False])
def test_resume_is_refused_proved_or_not_until_the_copy_is_accepted(
    tmp_path: Path, despite_open: bool
) -> None:
    restored(tmp_path)
    desk = live(tmp_path / "run")
    prove(desk)

    desk.tell(ResumeTrading(request="r", despite_open=despite_open))

    ok, text = answer(desk, "r")
    assert not ok
    assert "watchkeeper ledger accept RUN" in text
    assert desk.kept.board.halt.state == str(HaltState.HALTED_PROVED)
    desk.tell(desk.intent(1))
    assert desk.sends(1) == 0


def test_once_accepted_and_resumed_what_was_lost_is_never_decided_again(tmp_path: Path) -> None:
    path = restored(tmp_path)
    accepted(path, at_s=1_000_010)
    desk = live(tmp_path / "run", start_s=1_000_010)
    prove(desk)
    desk.tell(ResumeTrading(request="r", despite_open=False))
    assert answer(desk, "r")[0]

    before_ns = TimestampNs(1_000_010 * NS_PER_S)
    desk.tell(desk.intent(1, decided_at_ns=before_ns))
    desk.after(3)
    desk.tell(desk.intent(2))

    assert (desk.sends(1), desk.sends(2)) == (0, 1)
    assert desk.order(1).state_reason.startswith("restored: ")


def test_without_the_moment_it_would_be_sent_twice(tmp_path: Path) -> None:
    """What the test above finds: the same, accepted as of the beginning of time."""
    path = restored(tmp_path)
    accepted(path, at_s=0)
    desk = live(tmp_path / "run", start_s=1_000_010)
    prove(desk)
    desk.tell(ResumeTrading(request="r", despite_open=False))

    desk.tell(desk.intent(1))

    assert desk.sends(1) == 1


# ---------------------------------------------------------------- stops


def restored_with_a_stop(tmp_path: Path) -> Path:
    """The copy has a position and its stop, which in the lost ledger has sold it."""
    desk = live(tmp_path / "run")
    desk.tell(desk.intent(0, protection=Protection(stop_loss=Decimal(95))))
    desk.tell(desk.report(0, S.FILLED, "1", (fill("t"),)))
    back_up(desk.path, tmp_path / "copy", TimestampNs(desk.runtime.clock.utc_ns()), halt)
    desk.price("94")
    assert [one.order.side for one in desk.gateway.sent] == [Side.BUY, Side.SELL]
    desk.stop()
    put_back(tmp_path / "copy", desk.path, halt, desk.path.with_name("aside"))
    return desk.path


@pytest.mark.parametrize(("ends_stops", "sold_again"), [(False, 1), (True, 0)])
def test_a_stop_of_a_copy_would_act_again_unless_a_person_has_ended_it(
    tmp_path: Path, ends_stops: bool, sold_again: int
) -> None:
    """Its exit is named by the moment, so no key tells it: `ledger accept` asks for a word."""
    path = restored_with_a_stop(tmp_path)
    accepted(path, at_s=1_000_010, ends_stops=ends_stops)
    desk = live(tmp_path / "run", start_s=1_000_010)
    prove(desk)
    desk.after(3)
    desk.tell(ResumeTrading(request="r", despite_open=False))
    assert answer(desk, "r")[0]

    desk.price("93")

    assert len(desk.gateway.sent) == sold_again
    with closing(SqliteLedger(path)) as ledger:
        (stop,) = ledger.stops(done_too=True)
    assert stop.entry_key == key_of(0)
    assert (stop.state is StopState.DONE) == ends_stops
