"""`doctor`: one line per finding, what to do, and an exit code; keys are never shown."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

import cli
from ops.config import Config, parse
from ops.doctor_disk import disk_findings, flush_finding, kind_finding, room_finding
from ops.doctor_finding import Finding, Level
from ops.doctor_lease import lease_findings
from ops.doctor_machine import clock_findings, python_finding, sqlite_finding
from ops.lease_machine import boot_ns, this_machine
from ops.lease_place import place_of
from persistence.lease import SqliteLeases
from tests.cli.runs import EXAMPLES, book, edit, objects
from tests.persistence.lease_model import lease

CLOCK = "clock"
"""Whether the clock of a test machine is kept right is not this project's business."""


def of(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(row for row in rows if row["finding"] == name)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    code = cli.main(["doctor", *map(str, arguments), "--json"])
    rows = objects(capsys.readouterr().out)
    assert code == max(list(Level).index(Level(row["level"])) for row in rows)
    return code, rows


def test_a_sound_machine_and_config_have_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    code, rows = run(capsys, EXAMPLES / "demo.toml")

    assert code < 2
    assert {row["finding"] for row in rows} >= {
        "python", "sqlite", CLOCK, "extra", "config", "room", "disk", "flush", "durability",
        "ledger", "venue",
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_the_mistakes_of_a_config_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text('nam = "x"\n')

    code, rows = run(capsys, tmp_path / "c.toml")

    assert code == 2
    assert not {"ledger", "disk"} & {row["finding"] for row in rows}, "of another run"
    assert of(rows, "config")["todo"] == f"correct it, then watchkeeper check {tmp_path / 'c.toml'}"


def test_the_newest_runs_ledger_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "runs" / "x"
    run_dir.mkdir(parents=True)
    (run_dir / "status.json").write_text("{}")
    with book(run_dir) as opened:
        opened.claim()
        opened.ledger.set_halt("a person said so")
    monkeypatch.chdir(tmp_path)

    _, rows = run(capsys)
    assert of(rows, "ledger")["text"] == "runs/x/ledger.db is sound and holds 1 orders"
    assert of(rows, "halt")["text"] == "runs/x is halted: a person said so"

    edit(run_dir / "ledger.db", "UPDATE orders SET state = 'gone'", "DELETE FROM positions")
    (run_dir / "ledger.db").write_bytes(b"not a database" * 1_000)
    code, rows = run(capsys)
    assert (code, of(rows, "ledger")["level"]) == (2, "problem")


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (python_finding((3, 10, 9)), "problem"),
        (python_finding((3, 14, 0)), "ok"),
        (sqlite_finding((3, 51, 2)), "ok"),
        (sqlite_finding((3, 51, 3)), "ok"),
        (room_finding(Path("/x"), 100_000_000), "problem"),
        (room_finding(Path("/x"), 1_000_000_000), "warning"),
        (room_finding(Path("/x"), 50_000_000_000), "ok"),
        (kind_finding(Path("/x"), "tmpfs"), "warning"),
        (kind_finding(Path("/x"), "nfs4"), "problem"),
        (kind_finding(Path("/x"), "ext4"), "ok"),
        (flush_finding([1_000_000] * 20), "ok"),
        (flush_finding([80_000_000] * 20), "warning"),
        (next(clock_findings(0.0, 0)), "problem"),
        (next(clock_findings(1.9e9, 5)), "warning"),
        (next(clock_findings(1.9e9, None)), "ok"),
    ],
)
def test_each_finding_is_as_bad_as_it_is_and_says_what_to_do(finding: Finding, level: str) -> None:
    assert finding.level == level
    assert bool(finding.todo) == (level != "ok")


def test_an_sqlite_with_the_bug_is_said_to_have_it_and_why_it_does_no_harm() -> None:
    assert "every reader is read-only" in sqlite_finding((3, 51, 2)).text
    assert sqlite_finding((3, 51, 3)).text == "3.51.3"


def test_a_disk_is_measured_where_the_run_will_be_and_left_as_it_was(tmp_path: Path) -> None:
    found = list(disk_findings(tmp_path / "not" / "yet" / "there"))

    assert [finding.about for finding in found] == ["room", "disk", "flush", "durability"]
    assert all(str(tmp_path) in finding.text for finding in found[:2])
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ an exchange


def leased_config(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("KEY", "the key itself")
    document = {
        "name": "x",
        "mode": "live",
        "run_dir": str(folder / "mine"),
        "feed": {"type": "ccxt"},
        "venue": {
            "type": "ccxt",
            "exchange": "binance",
            "api_key_env": "KEY",
            "api_secret_env": "SECRET",
            "lease_dir": str(folder / "leases"),
        },
        "risk": {},
        "strategy": [{"id": "a", "uses": "sma_cross"}],
    }
    return parse(document, Path.cwd())


@pytest.mark.parametrize(
    ("run_dir", "alive", "left_s", "level", "says"),
    [
        ("mine", True, 9, "ok", "is traded by process "),
        ("mine", True, -1, "warning", "does not renew it"),
        ("mine", False, 9, "ok", "the next start takes it over"),
        ("other", True, 9, "problem", "is traded by process "),
        ("other", False, 9, "warning", "is gone and did not give it back"),
    ],
)
def test_who_trades_the_account_is_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_dir: str,
    alive: bool,
    left_s: int,
    level: str,
    says: str,
) -> None:
    config = leased_config(tmp_path, monkeypatch)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ledger.db").touch()
    (tmp_path / "leases").mkdir(mode=0o700)
    place, machine = place_of(config), this_machine()
    if not machine.space:
        pytest.skip("the kernel does not tell")
    me = machine.me(tmp_path / run_dir)
    holder = me if alive else msgspec.structs.replace(me, started=1)
    ends_ns = boot_ns() + left_s * 10**9
    with SqliteLeases(place.path, place.account) as store:
        row = lease(account=place.account, holder=holder, clock=machine.clock, expires_ns=ends_ns)
        assert store.take(row, None)

    (found,) = lease_findings(config)

    assert (str(found.level), bool(found.todo)) == (level, level != "ok")
    assert says in found.text
    assert "the key itself" not in found.text


def test_an_account_that_nobody_trades_is_found_so_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = leased_config(tmp_path, monkeypatch)

    (found,) = lease_findings(config)

    assert found.text.startswith("nobody trades binance-")
    assert list(tmp_path.iterdir()) == []


def test_a_lease_that_cannot_be_read_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = leased_config(tmp_path, monkeypatch)
    (tmp_path / "leases").mkdir(mode=0o700)
    place_of(config).path.write_bytes(b"nonsense" * 500)

    (found,) = lease_findings(config)

    assert (str(found.level), found.about) == ("problem", "lease")
    assert "file is not a database" in found.text
