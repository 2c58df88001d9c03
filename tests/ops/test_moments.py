import pytest

from messages.errors import ConfigError
from messages.ids import NS_PER_S
from ops.moments import since_ns

NOW_NS = 1_700_000_000 * NS_PER_S


def now_ns() -> int:
    return NOW_NS


@pytest.mark.parametrize(
    ("text", "found_ns"),
    [
        (None, 0),
        ("0001-01-01", 0),
        ("1970-01-01T00:00:01", NS_PER_S),
        ("1970-01-01T01:00:01.5+01:00", NS_PER_S + NS_PER_S // 2),
        ("2h", NOW_NS - 7_200 * NS_PER_S),
        ("999999999w", 0),
        ("1700000000000000000", NOW_NS),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_a_moment_is_a_date_a_span_back_or_nanoseconds(text: str | None, found_ns: int) -> None:
    assert since_ns(text, now_ns) == found_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-5m",
        "nan",
        "1000",
        "2262-04-12",
        "9999-12-31",
        "9999-12-31T23:59:59-14:00",
        "9223372036854775808",
        "9" * 20,
        "9" * 5_000,
    ],
)
def test_no_moment_or_one_later_than_a_ledger_can_hold_is_one_short_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a time in UTC before 2262") as caught:
        since_ns(text, now_ns)

    assert len(str(caught.value)) < 300
