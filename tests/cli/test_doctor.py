"""`doctor`: one line per finding, what to do, and an exit code; keys are never shown."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import cli
from exchanges.local.settings import Settings
from ops.config import Config, VenueType, parse
from ops.doctor_disk import disk_findings, flush_finding, kind_finding, room_finding
from ops.doctor_finding import Finding, Level
from ops.doctor_lease import lease_findings
from ops.doctor_machine import clock_findings, python_finding, sqlite_finding
from ops.doctor_venue import venue_findings
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


def live_config(exchange: str = "binance", **ccxt: Any) -> Config:
    """A config for an exchange, past whatever the file format allows today."""
    document = {"name": "x", "strategy": [{"id": "a", "uses": "sma_cross"}]}
    config = parse(document, Path.cwd())
    venue = msgspec.structs.replace(
        config.venue,
        type=VenueType.CCXT,
        exchange=exchange,
        api_key_env="DOCTOR_KEY",
        api_secret_env="DOCTOR_SECRET",
        ccxt=ccxt,
    )
    return msgspec.structs.replace(config, venue=venue)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_KEY", Settings().api_key)
    monkeypatch.setenv("DOCTOR_SECRET", Settings().api_secret)


def levels(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.about, str(finding.level)) for finding in found]


def test_keys_that_are_missing_are_named_and_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DOCTOR_KEY", raising=False)
    monkeypatch.setenv("DOCTOR_SECRET", "sesame-open")

    found = list(venue_findings(live_config(), online=True))

    assert levels(found) == [
        ("exchange", "ok"), ("key", "problem"), ("key", "ok"), ("gate", "problem")
    ]  # fmt: skip
    assert found[1].todo == "export DOCTOR_KEY (venue.api_key_env names it)"
    assert "sesame" not in repr(found)


def test_an_exchange_that_cannot_find_our_orders_is_a_problem() -> None:
    found = list(venue_findings(live_config("bybit"), online=False))

    assert levels(found) == [("exchange", "problem")]


@pytest.mark.parametrize(
    ("exchange", "told"),
    [
        ("bybit", "only its market is bybit's; it could not trade there, for bybit cannot find"),
        ("coinfalcon", "it could not trade there, for nobody has written down whether"),
        ("kucoin", "the run trades on paper, and only its market is kucoin's"),
    ],
)
def test_where_no_order_is_sent_it_does_not_matter_how_one_is_found(
    exchange: str, told: str
) -> None:
    document = {
        "name": "x",
        "feed": {"type": "ccxt"},
        "venue": {"exchange": exchange},
        "strategy": [{"id": "a", "uses": "sma_cross"}],
    }

    found = list(venue_findings(parse(document, Path.cwd()), online=True))

    assert levels(found) == [("venue", "ok")]
    assert told in found[0].text


@pytest.mark.usefixtures("keys")
def test_an_exchange_that_was_only_read_about_is_a_warning() -> None:
    found = list(venue_findings(live_config("kucoin"), online=False))

    assert found[0].level is Level.WARNING
    assert found[-1].text.startswith("not asked; --online asks")


@pytest.fixture
def exchange() -> Iterator[Any]:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange

    with running_exchange() as server:
        yield server


def urls_of(server: Any) -> dict[str, Any]:
    config = server.ccxt_config()
    return {key: value for key, value in config.items() if key not in ("apiKey", "secret")}


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_online_the_gate_itself_is_asked_and_no_order_is_placed(exchange: Any) -> None:
    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-3:] == [("gate", "ok"), ("trading right", "ok"), ("withdrawal", "ok")]
    assert "takes the key and lists BTC/USDT" in found[-3].text
    assert found[-2].text.startswith("the key may trade at binance")
    assert found[-1].text == "the key may not withdraw from binance"
    assert exchange.exchange.orders() == []


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_a_key_that_may_withdraw_is_a_warning(exchange: Any) -> None:
    exchange.exchange.let_key_withdraw()

    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-2:] == [("trading right", "ok"), ("withdrawal", "warning")]
    assert found[-1].text == "the key may withdraw from binance, which trading does not need"
    assert found[-1].todo == "make a key that may trade and not withdraw, and delete this one"


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_a_key_that_may_not_trade_is_a_problem(exchange: Any) -> None:
    exchange.exchange.restrict_key()

    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-2:] == [("gate", "ok"), ("trading right", "problem")]
    assert "may read at binance and not trade (HTTP 401, code -2015)" in found[-1].text
    assert found[-1].todo == "correct it: a start would be refused"


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_an_order_that_could_not_be_checked_is_a_warning(exchange: Any) -> None:
    from exchanges.local.faults import Fault, Plan

    exchange.exchange.arm(Plan(fault=Fault.SERVER_BUSY, operation="test_order"))

    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-3:-1] == [("gate", "ok"), ("trading right", "warning")]
    assert "did not tell whether the key may trade: no_proof" in found[-2].text


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_a_key_that_the_exchange_refuses_is_a_problem_and_not_shown(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCTOR_SECRET", "wrong-and-secret")

    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-1] == ("gate", "problem")
    assert "refuses the key" in found[-1].text
    assert not any(secret in repr(found) for secret in (os.environ["DOCTOR_KEY"], "wrong-and"))


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_an_exchange_that_cannot_be_reached_is_a_problem() -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange

    with running_exchange() as server:
        urls = urls_of(server)

    found = list(venue_findings(live_config(**urls), online=True))

    assert levels(found)[-1] == ("gate", "problem")
    assert "cannot be reached" in found[-1].text


# ---------------------------------------------------------------- the lease


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
