"""What metric lines come to, of either schema, and whatever stands in them."""

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.dashboard.fold import RunFold
from ops.dashboard.internals import internals
from tests.ops.dashboard.runs import LIFE, T0, encoded, line, said


def folded(*lines: object) -> RunFold:
    fold = RunFold()
    fold.take(encoded(*lines).splitlines())
    return fold


def as_the_page_does(fold: RunFold) -> None:
    json.dumps(internals(fold, {}), allow_nan=False)


def test_a_run_is_counted() -> None:
    fold = folded(*LIFE)

    assert fold.broken == 0
    assert fold.rejects == {"cooldown": 1}
    assert fold.errors == {"crashed": 1}
    assert fold.restarts == {"x": 1}
    assert (fold.totals["events"], fold.totals["messages"], fold.totals["starts"]) == (10, 10, 1)
    assert [one.kind for one in fold.happenings] == [
        "start", "exited", "restarted", "alert", "recovered",
    ]  # fmt: skip


def test_a_line_that_stands_for_many_is_spread_over_the_time_they_took() -> None:
    began = LIFE[0]
    sampled = [line(at, "message", actor="a", every=1_000, outcome="ok") for at in (10, 20, 30)]

    inside = internals(folded(began, *sampled), {})

    assert inside["messages"] == 3_000
    assert max(inside["rates"]["messages"]) == 100


def test_stages_come_from_their_lines_else_from_the_intervals() -> None:
    stages = internals(folded(*LIFE), {})["stages"]

    assert list(stages) == ["claim", "send", "ack"]
    assert [x for x in stages["send"]["max"] if x] == [5.0]
    assert [x for x in stages["ack"]["p99"] if x] == [3.0]
    assert (stages["send"]["is_counted"], stages["ack"]["is_counted"]) == (True, False)


def test_a_stage_that_an_earlier_process_began_has_no_latency_and_counts_all_the_same() -> None:
    fold = folded(line(1, "stage", stage="fill", latency_ns=None))

    assert (fold.broken, fold.totals["stage_lines"]) == (0, 1)


def test_mailboxes_are_as_full_as_they_were_seen() -> None:
    assert [x for x in internals(folded(*LIFE), {})["mailboxes"]["a"] if x] == [3]


def test_an_alert_fires_until_it_is_over_or_the_process_is_another() -> None:
    firing = line(1, "alert", rule="r", key="k", state="firing", sentence="S", delivered=False)
    start = said(2, "supervision", child="metrics", event="started", epoch=1)

    assert internals(folded(firing), {})["firing"] == ["S (not delivered: no reason given)"]
    assert internals(folded(firing, start), {})["firing"] == []
    assert internals(folded(*LIFE), {})["firing"] == []


def test_a_new_process_counts_its_events_from_nothing() -> None:
    def report(second: int, delivered: int) -> object:
        return said(second, "feed", feed="f", delivered=delivered)

    start = said(3, "supervision", child="metrics", event="started", epoch=1)

    fold = folded(report(1, 100), report(2, 150), start, report(4, 120))

    assert fold.totals["events"] == 270
    assert fold.furthest == {"f": 150}
    assert sum(column.counts["events"] for _, column in fold.columns) == 270


def test_lines_that_mean_nothing_are_counted_and_passed_over() -> None:
    bad = [
        b"not json\n", b'{"kind":"order"}\n', b'{"kind":"message","at_ns":"soon"}\n', b"\xff\xfe\n",
        b'{"at_ns":1,"kind":"stage","latency_ns":5,"stage":"ack"}\n', b"[]\n", b'"kind":"\n',
    ]  # fmt: skip
    fold = folded(*bad, *LIFE, line(9, "from the future"))

    assert fold.broken == len(bad)
    assert fold.totals == folded(*LIFE).totals


NUMBERS_TOO_LONG = [b"9" * 400, b"-" + b"9" * 400, b"9223372036854775808"]


@pytest.mark.parametrize(
    "text",
    [
        b'{"kind":"stage","stage":"ack","latency_ns":NUMBER,"at_ns":AT}',
        b'{"kind":"feed","message":{"feed":"f","delivered":NUMBER},"at_ns":AT}',
        b'{"kind":"message","actor":"a","every":NUMBER,"at_ns":AT}',
        b'{"kind":"interval","actors":{"a":{"processed":NUMBER}},"at_ns":AT}',
        b'{"kind":"interval","actors":{"a":{"mailbox":NUMBER}},"at_ns":AT}',
        b'{"kind":"interval","since":{"stages":{"ack":{"count":1,"p50":NUMBER}}},"at_ns":AT}',
        b'{"kind":"of tomorrow","at_ns":NUMBER}',
    ],
)
@pytest.mark.parametrize("number", NUMBERS_TOO_LONG, ids=["huge", "deep", "next"])
def test_a_number_beyond_64_bits_is_no_number_of_ours(text: bytes, number: bytes) -> None:
    fold = folded(text.replace(b"NUMBER", number).replace(b"AT", b"%d" % T0) + b"\n", *LIFE)

    as_the_page_does(fold)
    assert fold.broken == 1


@pytest.mark.parametrize("kind", [b"stage", b"interval", b"of tomorrow"])
def test_a_line_nested_deeper_than_anybody_can_read_is_counted(kind: bytes) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    nested = b'{"kind":"%s","at_ns":%d,"more":%s}\n' % (kind, T0, deep)

    assert folded(nested, *LIFE).broken == 1


NUMBERS = (
    st.integers(-2, 5)
    | st.integers(T0, T0 + 10**12)
    | st.integers(-(2**64), 2**64)
    | st.integers(300, 4_000).map(lambda digits: 10**digits)
    | st.floats(allow_nan=False, allow_infinity=False)
)
PLAIN = NUMBERS | st.none() | st.booleans() | st.text(max_size=6)
ODD = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=6,
)


@st.composite
def strange(draw: st.DrawFn) -> bytes:
    """A line of a run in whose objects, at any depth, some values are of somebody else."""

    def changed(value: Any) -> Any:
        if isinstance(value, dict) and value and draw(st.integers(0, 9)):
            return {key: changed(inner) for key, inner in value.items()}
        chance = draw(st.integers(0, 9))
        if isinstance(value, int) and chance < 4:
            return draw(NUMBERS)
        return draw(ODD) if chance == 9 else value

    one = changed(draw(st.sampled_from([*LIFE, *MORE])))
    text = json.dumps(one, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])))
    depth = draw(st.sampled_from([0, 0, 0, 0, 50_000]))
    return text.encode().replace(b"}", b',"z":' + b"[" * depth + b"]" * depth + b"}", depth > 0)


MORE = [
    said(3, "feed", feed="f", phase="down", reason="r", symbol="BTC/USDT", missing=3),
    said(3, "order", state="filled", type="OrderUpdate", late_fills=True),
    line(
        4, "interval", positions={"BTC/USDT": {"mark_price": "1"}}, actors={"a": {"processed": 2}}
    ),
]


@pytest.mark.slow
@settings(max_examples=2_000 if os.environ.get("WATCHKEEPER_STRESS") else 60, deadline=None)
@given(st.lists(strange() | st.binary(max_size=60), max_size=12))
def test_no_line_breaks_it(lines: list[bytes]) -> None:
    fold = RunFold()
    fold.take(lines)

    as_the_page_does(fold)


def at_intervals(*seconds: float) -> list[dict[str, Any]]:
    actors = {"a": {"processed": 9, "mailbox": 1}}
    return [line(second, "interval", actors=actors) for second in seconds]


def gaps_of(*lines: object) -> list[list[float]]:
    """Give the gaps in seconds of the run."""
    return [[at - T0 / 1e9 for at in gap] for gap in internals(folded(*lines), {})["gaps"]]


def test_a_time_in_which_nothing_was_written_is_a_gap_from_column_to_column() -> None:
    every_5_s = [*range(0, 100, 5), *range(400, 500, 5)]

    gaps = gaps_of(*at_intervals(*every_5_s))

    assert gaps == [pytest.approx([95, 400], abs=0.8)]


def test_a_run_that_writes_seldom_has_no_gap_between_two_intervals() -> None:
    assert gaps_of(*at_intervals(*range(0, 6_000, 300))) == []
    assert len(gaps_of(*at_intervals(*range(0, 3_000, 300), 9_000, 9_300))) == 1


def test_what_is_said_of_a_silence_afterwards_does_not_fill_it() -> None:
    before = said(1, "feed", feed="f", delivered=10)
    after = said(1_000, "feed", feed="f", delivered=1_000)

    assert gaps_of(LIFE[0], before, after) == [pytest.approx([1, 1_000], abs=2)]


def test_a_clock_that_goes_back_makes_no_gap() -> None:
    assert gaps_of(*at_intervals(500, 505, 100, 105, 110)) == []


def everything(fold: RunFold) -> object:
    """Give all that a page is made from, and what is kept for the lines that follow."""
    return (
        json.dumps(internals(fold, {})), fold.totals, fold.broken, fold.delivered, fold.furthest,
        fold.prices, list(fold.happenings), list(fold.silences),
        [(at, column.counts) for at, column in fold.columns],
    )  # fmt: skip


@pytest.mark.slow
@settings(max_examples=2_000 if os.environ.get("WATCHKEEPER_STRESS") else 60, deadline=None)
@given(st.lists(strange() | st.binary(max_size=60), max_size=12))
def test_a_line_read_in_one_go_counts_as_one_read_for_its_kind_first(lines: list[bytes]) -> None:
    fold, apart = RunFold(), RunFold()
    fold.take(lines)

    for one in lines:
        apart._apart(one)

    assert everything(fold) == everything(apart)


def test_what_comes_by_the_million_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    apart: list[bytes] = []
    monkeypatch.setattr(RunFold, "_apart", lambda _, line: apart.append(line))

    folded(*LIFE, *MORE)

    common = {"message", "stage", "order"}
    assert {json.loads(line)["kind"] for line in apart}.isdisjoint(common)


def test_names_without_end_take_no_memory_without_end() -> None:
    fold = folded(
        *[line(1, "stage", stage=f"s{n}", latency_ns=1) for n in range(1_000)],
        *[said(1, "order", state="refused", reason=f"r{n}: x") for n in range(1_000)],
    )

    assert len(fold.rejects) <= 201
    assert len(internals(fold, {})["stages"]) <= 12
