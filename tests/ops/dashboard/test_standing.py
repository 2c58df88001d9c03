"""How a run stands: what is told of alerts is told of a process that can have some."""

import pytest

from ops.dashboard.standing import standing


@pytest.mark.parametrize(
    ("is_alive", "firing", "said"),
    [
        (True, 1, "1 alert is firing."),
        (True, 2, "2 alerts are firing."),
        (False, 1, "1 alert was firing when it was last seen."),
        (False, 1_000, "1,000 alerts were firing when it was last seen."),
    ],
)
def test_an_alert_fires_while_somebody_watches(is_alive: bool, firing: int, said: str) -> None:
    how = standing(
        {"verdict": "OK", "ended": {"exit_code": 0, "reason": "the time was over"}},
        is_alive=is_alive,
        states={},
        halted="",
        ledger_problem="",
        firing=firing,
        now_ns=0,
    )

    assert ["warning", said] in how["evidence"]
    assert how["level"] == "warning"
