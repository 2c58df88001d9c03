from collections.abc import Callable
from typing import Any

import pytest

from ops.verdict import verdict

Make = Callable[..., dict[str, Any]]


def test_a_healthy_process_is_ok(snapshot: Make) -> None:
    assert verdict(snapshot()) == ("OK", "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": "halted"}, ("CRITICAL", "x is halted")),
        ({"state": "halted", "problem": "3 of 3"}, ("CRITICAL", "x halted: 3 of 3")),
        ({"state": "hung"}, ("CRITICAL", "x is hung")),
        (
            {"progress_age_s": 91.0, "progress_limit_s": 90.0},
            ("CRITICAL", "x made no progress for 91 s (limit 90 s)"),
        ),
        ({"progress_age_s": 89.0, "progress_limit_s": 90.0}, ("OK", "")),
        (
            {"state": "stopped", "progress_age_s": 91.0, "progress_limit_s": 90.0},
            ("CRITICAL", "x made no progress for 91 s (limit 90 s)"),
        ),
        ({"state": "stopped"}, ("OK", "")),
        ({"state": "backoff"}, ("WARNING", "x is backoff")),
        ({"state": "reconciling"}, ("WARNING", "x is reconciling")),
        ({"restarts_in_window": 2}, ("WARNING", "x was restarted recently (2 of 3)")),
        ({"restarts": 9}, ("OK", "")),
        ({"dead_letters": 2}, ("WARNING", "x lost 2 message(s)")),
        ({"zombies": 1}, ("WARNING", "x left 1 abandoned thread(s)")),
        ({"mailbox": 1000}, ("WARNING", "x has a full mailbox")),
    ],
)
def test_an_actors_trouble_decides(
    actor: Make, snapshot: Make, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert verdict(snapshot(actor("x", **changes))) == expected


@pytest.mark.parametrize(
    ("state", "what"),
    [("stopped", "is not running"), ("running", "does no rounds")],
)
def test_without_a_root_supervisor_nothing_else_counts(
    actor: Make, snapshot: Make, state: str, what: str
) -> None:
    found = verdict(snapshot(actor("root", state=state), root_alive=False))

    assert found == ("CRITICAL", f"the root supervisor {what}")


def test_an_order_of_unknown_outcome_is_a_warning(snapshot: Make) -> None:
    found = verdict(snapshot(orders={"unknown": 1}))

    assert found == ("WARNING", "1 order(s) with an unknown outcome")


def test_a_file_that_is_cut_off_is_a_warning_and_rows_that_are_dropped_are_none(
    snapshot: Make,
) -> None:
    assert verdict(snapshot(dropped={"feeds/feed:replay": {"cut_off": []}})) == ("OK", "")

    cut = "a.csv.gz is cut off or damaged after line 9: get it again"
    found = verdict(snapshot(dropped={"feeds/feed:replay": {"cut_off": [cut]}}))
    assert found == ("WARNING", cut)


def test_an_exchange_that_wants_to_hear_nothing_is_a_warning(snapshot: Make) -> None:
    words = "binance wants to hear nothing for 60 s"

    assert verdict(snapshot(rate=words)) == ("WARNING", words)
    assert verdict(snapshot(rate="")) == ("OK", "")


def test_a_starved_process_is_a_warning(snapshot: Make) -> None:
    found = verdict(snapshot(pulse={"late_ms": 2_500.0}))

    assert found == ("WARNING", "a thread that wakes twice a second came 2.5 s late: starved")
    assert verdict(snapshot(pulse={"late_ms": 900.0})) == ("OK", "")


def test_an_alert_is_a_reason_where_nothing_else_says_it(snapshot: Make) -> None:
    stale = {"rule": "stale", "sentence": "feeds/f shows no market event for 13 s"}
    restart = {"rule": "restart", "sentence": "x was restarted"}

    found = verdict(snapshot(alerts={"firing": [stale, restart]}))

    assert found == ("WARNING", "feeds/f shows no market event for 13 s")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("journal", "the journal is not written: full"),
        ("metrics", "metrics are not written: full"),
        ("prometheus", "the file for prometheus is not written: full"),
        ("status", "status.json is not written: full"),
    ],
)
def test_a_file_that_is_not_written_is_a_reason_once_with_alerts_and_without(
    snapshot: Make, name: str, said: str
) -> None:
    row = {"rule": "disk", "key": f"disk:{name}", "sentence": said}
    broken = {name: {"problem": "full"}}

    assert verdict(snapshot(**broken)) == ("WARNING", said)
    assert verdict(snapshot(**broken, alerts={"firing": [row]})) == ("WARNING", said)


def test_little_room_on_the_disk_is_a_reason(snapshot: Make) -> None:
    row = {"rule": "disk", "key": "disk", "sentence": "9 MB are free"}

    assert verdict(snapshot(alerts={"firing": [row]})) == ("WARNING", "9 MB are free")


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ({"rules_problem": "x failed", "undelivered": 0}, "alerts judge nothing: x failed"),
        ({"problem": "1: away", "undelivered": 2}, "2 alert(s) not delivered: 1: away"),
        (
            {"rules_problem": "x failed", "problem": "1: away", "undelivered": 1},
            "alerts judge nothing: x failed; 1 alert(s) not delivered: 1: away",
        ),
    ],
)
def test_rules_that_fail_and_notices_that_nobody_takes_are_told_apart(
    snapshot: Make, alerts: dict[str, Any], said: str
) -> None:
    assert verdict(snapshot(alerts=alerts)) == ("WARNING", said)


def test_every_reason_of_the_worst_kind_is_given(actor: Make, snapshot: Make) -> None:
    found = verdict(snapshot(actor("a", state="hung"), actor("b", state="halted"), ready=False))

    assert found == ("CRITICAL", "a is hung; b is halted")


def test_between_two_snapshots_only_new_losses_count(actor: Make, snapshot: Make) -> None:
    before = snapshot(actor("x", dead_letters=2))

    assert verdict(before, before) == ("OK", "")
    assert verdict(snapshot(actor("x", dead_letters=3)), before)[1] == "x lost 1 message(s)"


@pytest.mark.parametrize(
    ("lease", "expected"),
    [
        ({"barred": "", "problem": ""}, ("OK", "")),
        (
            {"barred": "", "problem": "no disk"},
            ("WARNING", "the lease is not renewed: no disk"),
        ),
        (
            {"barred": "the lease ends in 3.9 s", "problem": "no disk"},
            ("CRITICAL", "nothing may be sent: the lease ends in 3.9 s"),
        ),
    ],
)
def test_a_lease_that_runs_out_is_told_before_it_has(
    snapshot: Make, lease: dict[str, str], expected: tuple[str, str]
) -> None:
    assert verdict(snapshot(lease=lease)) == expected
