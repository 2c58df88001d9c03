"""A run decided again: the same where nothing changed, else the very decision is named."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cli
from actors.step_runtime import StepRuntime
from messages.codec import from_msgpack, to_msgpack
from messages.ids import Symbol, TimestampNs
from messages.lifecycle import ActorState, InjectCrash, InjectHang
from messages.market import MarketBatch, Tick
from messages.orders import MarketRules, OrderIntent, OrderUpdate
from messages.outside import Origin
from messages.recorded import IntentsJudged, JudgedIntent, RunBegun, StrategyStands
from messages.stops import StopActed
from messages.values import Instrument, Side
from ops.wiring import System
from persistence.journal import segments
from research.replay.found import (
    JUDGED,
    OTHER,
    RAISED,
    RECORDED_ONLY,
    REPLAYED_ONLY,
    Compared,
    Findings,
)
from research.replay.line import UNKNOWN_BEGINNING
from research.replay.replaying import UNREADABLE
from tests.replay.replayed_strategies import RaisesInReplay
from tests.replay.runs import (
    ONE,
    changed,
    config_of,
    killed,
    messages,
    remove,
    replace,
    replayed,
    rewrite,
    run,
)

STRATEGY = "execution/strategies/one"
BTC = Symbol("BTC/USDT")
PAIR = ("BTC/USDT", "ETH/USDT")


def one(findings: Findings) -> Compared:
    (compared,) = findings.strategies.values()
    return compared


def assert_the_same(run_dir: Path, least: int = 10) -> Findings:
    """All that the journal holds of decisions was compared, and nothing differs."""
    findings, divergences = replayed(run_dir)
    assert divergences == []
    compared, decided = one(findings), messages(run_dir, OrderIntent, STRATEGY)
    assert compared.decisions == compared.replayed == compared.same == len(decided) >= least
    assert compared.other_words == 0
    assert not findings.not_compared
    judged = [j for _, _, m in messages(run_dir, IntentsJudged) for j in m.verdicts]
    assert findings.judged.total() == len(judged) >= least
    return findings


# ------------------------------------------------------------------ nothing changed


@pytest.mark.parametrize("name", ["sma_cross", "Waves", "Bars", "Learns", "Keeps"])
def test_a_run_is_decided_again_as_it_was(tmp_path: Path, name: str) -> None:
    run(config_of(tmp_path / "run", name))

    findings = assert_the_same(tmp_path / "run")

    assert one(findings).events == 120
    assert set(findings.judged) <= {"claim", "refuse"}


@pytest.mark.slow
def test_a_strategy_of_two_symbols_is_too(tmp_path: Path) -> None:
    run(config_of(tmp_path / "run", "Pairs", symbols=PAIR), seed=3)

    findings = assert_the_same(tmp_path / "run", least=40)

    assert findings.judged["refuse"] > 0


@pytest.mark.parametrize(
    ("name", "restarts"), [("Tires", 2), ("TiresAndKeeps", 2), ("Poisoned", 6)]
)
def test_one_that_crashed_and_was_built_anew_is_too(
    tmp_path: Path, name: str, restarts: int
) -> None:
    system = run(config_of(tmp_path / "run", name))

    assert system.strategies[ONE].cell.restarts >= restarts
    assert_the_same(tmp_path / "run")


@pytest.mark.parametrize("blow", [InjectCrash(reason="a test"), InjectHang(reason="a test")])
@pytest.mark.parametrize("name", ["Waves", "Keeps"])
def test_one_that_was_killed_or_hung_in_the_middle_is_too(
    tmp_path: Path, name: str, blow: Any
) -> None:
    def strike(runtime: StepRuntime, system: System) -> None:
        actor = system.strategies[ONE]
        assert runtime.run_until(lambda: actor.cell.processed >= 2)
        assert actor.tell(blow)

    system = run(config_of(tmp_path / "run", name, batch=16), at_start=strike)

    assert system.strategies[ONE].cell.restarts >= 1
    assert_the_same(tmp_path / "run")


def test_what_comes_by_itself_is_shown_again_too(tmp_path: Path) -> None:
    """Prices, and new rules of the venue, after which a strategy is built anew."""

    def tell(runtime: StepRuntime, system: System) -> None:
        actor = system.strategies[ONE]
        box, taken = actor.cell.mailbox, list[Any]()
        record = box.recorder

        def recording(path: Any, message: Any, *, is_timer: bool) -> None:
            taken.append(message)
            assert record is not None
            record(path, message, is_timer=is_timer)

        box.recorder = recording
        for number in range(8, 24):
            assert runtime.run_until(lambda: actor.cell.state is ActorState.RUNNING)
            actor.tell(tick(number))
            if number == 18:
                actor.tell(MarketRules(instrument=Instrument(symbol=BTC)))
            assert runtime.run_until(lambda n=number: tick(n) in taken)  # type: ignore[misc]  # mypy infers no lambda with defaults

    config = config_of(tmp_path / "run", "Books", candles=240, batch=4, window=8)
    system = run(config, at_start=tell)

    assert system.strategies[ONE].cell.restarts == 1
    findings = assert_the_same(tmp_path / "run")
    assert len(messages(tmp_path / "run", Tick, STRATEGY)) == 16
    assert one(findings).events > 240


def tick(number: int) -> Tick:
    price, at_ns = Decimal(number), TimestampNs(2 * 10**18 + number)
    return Tick(
        symbol=BTC, bid_price=price, ask_price=price, ts_event_ns=at_ns, ts_received_ns=at_ns
    )


@pytest.mark.slow
@pytest.mark.parametrize("blow", [None, InjectCrash(reason="a test")])
def test_a_strategy_hears_again_what_its_stops_have_done(tmp_path: Path, blow: Any) -> None:
    def strike(runtime: StepRuntime, system: System) -> None:
        actor = system.strategies[ONE]
        runtime.run_until(lambda: actor.cell.processed >= 90)
        if blow is not None:
            actor.tell(blow)

    run(config_of(tmp_path / "run", "Stopped", candles=200), at_start=strike)

    assert len(messages(tmp_path / "run", StopActed, STRATEGY)) > 5
    assert_the_same(tmp_path / "run", least=6)


def test_a_crash_of_the_executor_begins_all_anew_and_is_no_difference(tmp_path: Path) -> None:
    def strike(runtime: StepRuntime, system: System) -> None:
        assert runtime.run_until(lambda: system.executor.cell.processed >= 9)
        assert system.executor.tell(InjectCrash(reason="a test"))

    config = config_of(tmp_path / "run", "Keeps", candles=200, batch=16)
    system = run(config, at_start=strike)

    assert system.executor.cell.restarts == 1
    assert_the_same(tmp_path / "run")


def test_a_second_process_decides_again_what_is_known_and_that_is_compared_too(
    tmp_path: Path,
) -> None:
    run(config_of(tmp_path / "run", "Waves"))
    run(config_of(tmp_path / "run", "Waves", candles=200), process=2)

    findings = assert_the_same(tmp_path / "run")

    assert findings.judged["duplicate"] > 10
    assert findings.judged["claim"] + findings.judged["refuse"] > 10
    assert [text.partition(",")[0] for text in findings.breaks] == ["a process ended in order"]


@pytest.mark.parametrize("less", [0, 1, 3, 8, 40])
def test_of_a_killed_process_all_is_compared_that_it_surely_did(tmp_path: Path, less: int) -> None:
    run(config_of(tmp_path / "run", "Waves", batch=16))
    killed(tmp_path / "run", less)
    run(config_of(tmp_path / "run", "Waves", candles=40), process=2)

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    compared = one(findings)
    assert (
        compared.decisions
        == compared.same
        == len(messages(tmp_path / "run", OrderIntent, STRATEGY))
    )
    assert "ended without a word" in findings.breaks[0]


# ------------------------------------------------------------------ a journal that was changed


@pytest.mark.parametrize("place", [0, 7, -1])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"quantity": Decimal(7)}, " 7 BTC/USDT"),
        ({"side": "other"}, None),
        ({"limit_price": Decimal(5)}, "at 5"),
        ({"reference_price": Decimal(5)}, None),
    ],
)
def test_a_changed_decision_is_found_and_no_other(
    tmp_path: Path, place: int, change: dict[str, Any], text: str | None
) -> None:
    run(config_of(tmp_path / "run"))
    segment, number, intent = messages(tmp_path / "run", OrderIntent, STRATEGY)[place]
    if change == {"side": "other"}:
        change = {"side": Side.SELL if intent.side is Side.BUY else Side.BUY}
    replace(segment, number, changed(intent, **change))

    findings, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.kind, found.who, found.order_key) == (OTHER, "one", intent.order_key)
    assert f"{intent.side} {intent.quantity} BTC/USDT" in found.replayed
    assert text is None or text in found.recorded
    assert "the candle of BTC/USDT that closed at" in found.event
    assert found.state["seen"].isdigit()
    assert Decimal(found.state["position BTC/USDT"]).is_finite()
    assert one(findings).same == one(findings).decisions - 1


@pytest.mark.parametrize("place", [0, 7, -1])
def test_a_decision_that_is_missing_is_found_and_no_other(tmp_path: Path, place: int) -> None:
    run(config_of(tmp_path / "run"))
    segment, number, intent = messages(tmp_path / "run", OrderIntent, STRATEGY)[place]
    remove(segment, number)

    _, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.kind, found.order_key) == (REPLAYED_ONLY, intent.order_key)
    assert found.recorded == ""


@pytest.mark.parametrize("place", [0, 7, -1])
def test_a_decision_that_nothing_led_to_is_found_and_no_other(tmp_path: Path, place: int) -> None:
    run(config_of(tmp_path / "run"))
    segment, number, intent = messages(tmp_path / "run", OrderIntent, STRATEGY)[place]
    more = changed(intent, order_key=intent.order_key[:-4] + "0000")

    def add(there: list[Any]) -> None:
        there.insert(number + 1, there[number]._replace(payload=to_msgpack(more)))

    rewrite(segment, add)

    _, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.kind, found.order_key, found.replayed) == (RECORDED_ONLY, more.order_key, "")
    assert str(intent.decided_at_ns // 10**9 % 60) in found.event


def test_a_decision_that_stands_behind_a_message_nobody_decides_on_is_found_too(
    tmp_path: Path,
) -> None:
    run(config_of(tmp_path / "run", batch=16))
    segment, number, _ = messages(tmp_path / "run", OrderUpdate, STRATEGY)[2]
    _, _, intent = messages(tmp_path / "run", OrderIntent, STRATEGY)[0]
    more = changed(intent, order_key=intent.order_key[:-4] + "0000")

    def add(there: list[Any]) -> None:
        there.insert(number + 1, there[number]._replace(payload=to_msgpack(more)))

    rewrite(segment, add)

    _, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.kind, found.order_key, found.event) == (
        RECORDED_ONLY,
        more.order_key,
        "OrderUpdate",
    )


@pytest.mark.parametrize(
    "change", [{"verdict": "refuse", "code": "cooldown_ms"}, {"quantity": Decimal(9)}]
)
def test_a_changed_judgement_is_found_with_what_the_executor_knew(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    run(config_of(tmp_path / "run", batch=8))
    segment, number, judged = messages(tmp_path / "run", IntentsJudged)[0]
    fifth: JudgedIntent = judged.verdicts[4]
    verdicts = (*judged.verdicts[:4], changed(fifth, **change), *judged.verdicts[5:])
    replace(segment, number, changed(judged, verdicts=verdicts))

    _, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.who, found.kind, found.order_key) == ("executor", JUDGED, fifth.order_key)
    assert found.replayed.startswith(fifth.verdict)
    assert found.recorded != found.replayed
    assert found.state["limit max_order_notional"] == "150"


@pytest.mark.parametrize("name", ["Gambles", "LooksAtTheClock"])
def test_a_strategy_that_is_not_a_function_of_what_it_sees_is_found(
    tmp_path: Path, name: str
) -> None:
    run(config_of(tmp_path / "run", name))
    first = messages(tmp_path / "run", OrderIntent, STRATEGY)[0][2]

    findings, divergences = replayed(tmp_path / "run")

    assert findings.divergences[OTHER] > 10
    assert divergences[0].order_key == first.order_key
    assert divergences[0].recorded != divergences[0].replayed


def test_what_raises_only_now_is_a_divergence_with_its_line_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    run(config_of(tmp_path / "run", "RaisesInReplay"))
    loaded: Any = __import__("strategies").strategy_class(
        messages(tmp_path / "run", RunBegun)[0][2].strategies[0].uses
    )
    assert loaded.__name__ == RaisesInReplay.__name__
    loaded.is_second = True

    _, divergences = replayed(tmp_path / "run")

    assert divergences[0].kind == RAISED
    assert "KeyError: 'gone' (replayed_strategies.py:" in divergences[0].replayed


# ------------------------------------------------------------------ what is missing


def lose(place: int) -> Callable[[list[Any]], None]:
    """Put a frame that tells of a gap in the place of two that were there."""
    from persistence.frames import lost_frame

    def change(there: list[Any]) -> None:
        there[place : place + 2] = [lost_frame(2, there[place].at_ns, there[place + 1].at_ns)]

    return change


@pytest.mark.parametrize("place", [20, 33, 61])
def test_behind_a_gap_nothing_is_compared_until_it_is_known_how_the_strategy_stood(
    tmp_path: Path, place: int
) -> None:
    run(config_of(tmp_path / "run", "Tires", batch=8))
    (segment,) = segments(tmp_path / "run" / "journal")
    decisions = len(messages(tmp_path / "run", OrderIntent, STRATEGY))
    rewrite(segment, lose(place))

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    assert findings.breaks[0].startswith("2 messages are missing")
    assert 0 < one(findings).same <= decisions
    assert findings.not_compared.total() >= 0


@pytest.mark.parametrize("processed", range(20, 30))
def test_a_journal_without_its_beginning_is_compared_from_where_a_memory_was_noted(
    tmp_path: Path, processed: int
) -> None:
    """As when old segments are gone: each new one says how the strategies stand.

    It is noted at a batch, behind it, or at an order's news, before that: then the batch that
    stands before it is of before it, with all that was decided on it.
    """
    config = config_of(tmp_path / "run", "sma_cross", candles=400, batch=8, window=8)

    def grow(runtime: StepRuntime, system: System) -> None:
        notes: Any = runtime.notes
        actor = system.strategies[ONE]
        assert runtime.run_until(lambda: actor.cell.processed >= processed)
        notes.stretch += 1

    run(config, at_start=grow)
    (segment,) = segments(tmp_path / "run" / "journal")
    (_, number, standing) = messages(tmp_path / "run", StrategyStands)[1]
    assert not standing.has_begun

    def cut_off(there: list[Any]) -> None:
        before = there[: number - 1]
        batches = [n for n, one in enumerate(before) if one.path == STRATEGY and is_batch(one)]
        del there[1 : batches[-1]]  # the batch that was taken just before stays

    rewrite(segment, cut_off)
    segment.rename(segment.with_name("00000003.wkj"))
    rename_header(segment.with_name("00000003.wkj"))

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    assert findings.breaks[0] == "segment 1 to 2 is gone"
    assert one(findings).is_warmed
    assert one(findings).decisions == one(findings).same > 5


def is_batch(frame: Any) -> bool:
    return isinstance(from_msgpack(frame.payload), MarketBatch)


def rename_header(path: Path) -> None:
    from persistence.frames import HEADER_SIZE, packed_header

    path.write_bytes(packed_header(3, 5) + path.read_bytes()[HEADER_SIZE:])


def test_without_a_memory_nothing_is_claimed(tmp_path: Path) -> None:
    run(config_of(tmp_path / "run"))
    segment, number, _ = messages(tmp_path / "run", StrategyStands)[0]
    decisions = len(messages(tmp_path / "run", OrderIntent, STRATEGY))
    remove(segment, number)

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    assert one(findings).decisions == 0
    assert findings.not_compared == {UNKNOWN_BEGINNING: decisions}


def test_a_journal_of_before_there_was_a_replay_is_not_said_to_be_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config_of(tmp_path / "run"))
    (segment,) = segments(tmp_path / "run" / "journal")

    def forget(there: list[Any]) -> None:
        there[:] = [frame for frame in there if frame.origin != Origin.INSIDE]

    rewrite(segment, forget)

    assert cli.main(["replay", str(tmp_path / "run")]) == 3
    said = capsys.readouterr().out
    assert "divergences" not in said
    assert said.splitlines()[-1].startswith("nothing could be compared: this journal")


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_journal_holds_a_replay_of_it_ends_in_order(tmp_path: Path, seed: int) -> None:
    """Frames that are missing, twice, elsewhere, another's or nonsense, with right checksums."""
    chance = Random(seed)
    run(config_of(tmp_path / "run", chance.choice(["Keeps", "Bars", "Tires"]), batch=16))
    (segment,) = segments(tmp_path / "run" / "journal")

    def spoil(there: list[Any]) -> None:
        for _ in range(chance.randint(1, 12)):
            one, other = chance.randrange(1, len(there)), chance.randrange(1, len(there))
            match chance.randrange(5):
                case 0:
                    del there[one]
                case 1:
                    there.insert(one, there[other])
                case 2:
                    there[one], there[other] = there[other], there[one]
                case 3:
                    there[one] = there[one]._replace(path=there[other].path)
                case 4:
                    payload = bytearray(there[one].payload)
                    payload[chance.randrange(len(payload))] ^= 1 << chance.randrange(8)
                    there[one] = there[one]._replace(payload=bytes(payload))

    rewrite(segment, spoil)

    findings, divergences = replayed(tmp_path / "run")

    assert findings.differs == len(divergences)


def test_damage_is_told_and_what_is_before_it_is_compared(tmp_path: Path) -> None:
    run(config_of(tmp_path / "run", batch=8))
    (segment,) = segments(tmp_path / "run" / "journal")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0xFF
    segment.write_bytes(content)

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    assert "00000001.wkj from byte" in findings.breaks[0]
    assert one(findings).decisions == one(findings).same > 5


def test_a_message_that_nobody_can_read_is_told(tmp_path: Path) -> None:
    run(config_of(tmp_path / "run", batch=8))
    segment, number, _ = messages(tmp_path / "run", OrderIntent, STRATEGY)[9]

    def spoil(there: list[Any]) -> None:
        there[number] = there[number]._replace(payload=b"\xc1 what is this")

    rewrite(segment, spoil)

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    ((why, unreadable),) = findings.unreadable.items()
    assert "not a message of the catalogue" in why
    assert (unreadable.count, unreadable.first.partition(",")[0]) == (
        1,
        f"message {number + 1} of 00000001.wkj",
    )
    assert findings.not_compared[UNREADABLE] == 1
