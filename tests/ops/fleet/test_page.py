"""What a fleet's page and its one `/metrics` are made of, and who may ask for them."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messages.errors import ConfigError
from messages.ids import NS_PER_S
from ops.fleet.config import FleetConfig, parse_fleet
from ops.fleet.exposition import fleet_text, merged
from ops.fleet.facts import word_of
from ops.fleet.page import page, policy
from ops.fleet.serving import FleetView, serving
from ops.fleet.standing import Seen, standing
from ops.http_server import HttpServer
from ops.run_state import read_object

NOW_NS = 1_800_000_000 * NS_PER_S
EVIL = '</script><script>document.title="owned"</script>"} \n\\'


def seen(folder: Path, bot: str = "one", pid: int | None = None, **more: Any) -> Seen:
    fields: dict[str, Any] = {
        "phase": "running" if pid else "parked",
        "why": "",
        "since_ns": NOW_NS - 5 * NS_PER_S,
        "restarts": 2,
        "warnings": (),
    }
    return Seen(bot=bot, run_dir=str(folder / bot), pid=pid, **fields | more)


def said(folder: Path, bot: str = "one", pid: int = 1, **more: Any) -> None:
    """What a bot says of itself in its small files."""
    place = folder / bot
    place.mkdir(exist_ok=True)
    status = {
        "pid": pid,
        "captured_at_ns": NOW_NS - NS_PER_S,
        "started_at_ns": NOW_NS - 5 * NS_PER_S,
        "verdict": "OK",
        "why": "",
        "ready": True,
        "open_orders": 3,
        "unknown": {"count": 1, "oldest_s": 4.5},
        "pnl": {"USDT": {"equity": "-1.50", "drawdown": "2.25"}},
        "market_age_s": {"BTC/USDT": 7.0, "ETH/USDT": 2.0},
    }
    begun = {"started_at_ns": NOW_NS - 5 * NS_PER_S + 1}
    summary = begun | {"processed": 100, "allowed": 7, "filled": 6, "rejected": 1, "errors": 0}
    (place / "status.json").write_text(json.dumps(status | more))
    (place / "metrics_summary.json").write_text(json.dumps(summary))


# ---------------------------------------------------------------- what is known


def test_a_fleet_is_the_sum_of_its_bots(tmp_path: Path) -> None:
    said(tmp_path, "one")
    said(tmp_path, "two", pnl={"USDT": {"equity": "4", "drawdown": "0"}}, ready=False)
    both = [seen(tmp_path, "one", pid=1), seen(tmp_path, "two", pid=1)]
    model = standing("desk", 9, both, NOW_NS)

    assert (model["fleet"], model["orchestrator"]) == ("desk", 9)
    assert model["phases"] == {
        "running": 2, "parked": 0, "waiting": 0, "draining": 0, "stopped": 0
    }  # fmt: skip
    totals = model["totals"]
    assert totals["equity"] == {"USDT": "2.50"}, "exact"
    assert (totals["open_orders"], totals["unknown_orders"], totals["filled"]) == (6, 2, 12)
    assert (totals["restarts"], totals["ready"], totals["halted"]) == (4, 1, 0)
    row = model["bots"][0]
    assert (row["since_s"], row["said_s"], row["market_age_s"]) == (5.0, 1.0, 7.0)


def test_what_the_process_before_said_is_not_of_this_one(tmp_path: Path) -> None:
    said(tmp_path, pid=1)
    for one in (seen(tmp_path, pid=2), seen(tmp_path, pid=None)):
        (row,) = standing("desk", 9, [one], NOW_NS)["bots"]
        assert (row["verdict"], row["ready"], row["pnl"], row["counts"]) == ("", False, {}, {})


def test_nor_is_it_where_its_pid_came_again(tmp_path: Path) -> None:
    """In a container that is started anew pids are what they were."""
    said(tmp_path, pid=1)
    before = word_of(read_object(tmp_path / "one" / "status.json"))
    for word, verdict in ((before, ""), ("", "OK")):
        one = msgspec.structs.replace(seen(tmp_path, pid=1), begun_after=word)
        (row,) = standing("desk", 9, [one], NOW_NS)["bots"]
        assert row["verdict"] == verdict


def test_counts_of_the_process_before_are_not_of_this_one(tmp_path: Path) -> None:
    """Its summary stands there until this one writes its own: a counter would fall in its life."""
    said(tmp_path, started_at_ns=NOW_NS - NS_PER_S)
    (row,) = standing("desk", 9, [seen(tmp_path, pid=1)], NOW_NS)["bots"]
    assert (row["verdict"], row["counts"]) == ("OK", {})


NONSENSE = [
    {"pnl": 3, "alerts": [], "halt": "x", "unknown": None, "market_age_s": "old"},
    {"pnl": {"USDT": {"equity": "nan"}}, "open_orders": "many", "verdict": 7, "why": None},
    {"pnl": {"USDT": {"equity": "1e400000"}}, "alerts": {"firing": [1, {}]}, "ready": "yes"},
    {"market_age_s": {"BTC/USDT": float("nan")}, "open_orders": 10**400},
    {"captured_at_ns": -(10**400), "unknown": {"count": float("inf")}},
    {"pnl": {"USDT": {"equity": "9e999999999", "drawdown": "0"}}, "lease": {"barred": {}}},
    {"pnl": {"USDT": {"equity": "0e-99999999"}}, "disk": {"free_mb": "many"}},
    {"market_age_s": {"\ud800": 1.0}, "alerts": {"firing": [{"sentence": "\ud800"}]}},
    {"actors": [{"path": 7, "progress_age_s": 1}], "journal": "full", "why": "\ud800"},
]


@pytest.mark.parametrize("status", NONSENSE)
def test_files_that_make_no_sense_say_nothing_and_keep_nothing_away(
    tmp_path: Path, status: dict[str, Any]
) -> None:
    said(tmp_path, "one", **status)
    said(tmp_path, "two")
    model = standing("desk", 9, [seen(tmp_path, n, pid=1) for n in ("one", "two")], NOW_NS)

    json.dumps(model, allow_nan=False)
    assert model["bots"][1]["pnl"] == {"USDT": {"equity": "-1.50", "drawdown": "2.25"}}


# ---------------------------------------------------------------- one /metrics


def families(text: str) -> Any:
    parser = pytest.importorskip(
        "prometheus_client.parser", reason="prometheus-client, of tests only, is not installed"
    )
    return {family.name: family for family in parser.text_string_to_metric_families(text)}


def test_one_text_tells_of_all_bots_by_their_labels_and_prometheus_reads_it(
    tmp_path: Path,
) -> None:
    bots = [seen(tmp_path, "one", pid=1), seen(tmp_path, "two", pid=1), seen(tmp_path, "three")]
    for name in ("one", "two"):
        said(tmp_path, name)
    status = {n: json.loads((tmp_path / n / "status.json").read_text()) for n in ("one", "two")}
    text = fleet_text(standing("desk", 9, bots, NOW_NS), status)

    found = families(text)
    assert len(found) > 15
    assert text.count("# TYPE watchkeeper_open_orders ") == 1
    opened = {s.labels["bot"]: s.value for s in found["watchkeeper_open_orders"].samples}
    assert opened == {"one": 3, "two": 3}
    ages = found["watchkeeper_market_age_seconds"].samples
    assert {(s.labels["bot"], s.labels["symbol"]) for s in ages} == {
        (bot, symbol) for bot in ("one", "two") for symbol in ("BTC/USDT", "ETH/USDT")
    }
    parked = {s.labels["bot"]: s.value for s in found["watchkeeper_fleet_bot_parked"].samples}
    assert parked == {"one": 0, "two": 0, "three": 1}
    phases = {s.labels["phase"]: s.value for s in found["watchkeeper_fleet_bots"].samples}
    assert (phases["running"], phases["parked"]) == (2, 1)


@pytest.mark.parametrize("status", NONSENSE)
def test_a_last_word_that_makes_no_sense_keeps_no_other_bot_out_of_the_metrics(
    tmp_path: Path, status: dict[str, Any]
) -> None:
    said(tmp_path, "one", **status)
    said(tmp_path, "two")
    view = FleetView(fleet_of(tmp_path))
    view.leave([seen(tmp_path, "one", pid=1), seen(tmp_path, "two", pid=1)])

    found = families(view.metrics().encode().decode())
    opened = {s.labels["bot"]: s.value for s in found["watchkeeper_open_orders"].samples}
    assert opened["two"] == 3
    told = {s.labels["bot"] for s in found["watchkeeper_fleet_bot_unreadable"].samples}
    assert told == {"one"} - set(opened), "who is left out is named"


def test_a_process_that_is_being_ended_still_runs(tmp_path: Path) -> None:
    bots = [
        seen(tmp_path, "one", pid=1, phase="draining"),
        seen(tmp_path, "two", phase="running"),  # it ended since the last look
    ]
    found = families(fleet_text(standing("desk", 9, bots, NOW_NS), {}))
    up = {s.labels["bot"]: s.value for s in found["watchkeeper_fleet_bot_up"].samples}
    assert up == {"one": 1, "two": 0}


@pytest.mark.parametrize("end", ["\u2028", "\x0b", "\x85", "\r"])
def test_a_label_cannot_begin_a_line_of_its_own(tmp_path: Path, end: str) -> None:
    """Another bot's figures would be forged, or Prometheus would refuse all."""
    evil = f'a{end}watchkeeper_market_age_seconds{{bot="two"}} 1'
    said(tmp_path, "one", market_age_s={evil: 3.0})
    view = FleetView(fleet_of(tmp_path))
    view.leave([seen(tmp_path, "one", pid=1)])

    ages = families(view.metrics())["watchkeeper_market_age_seconds"].samples
    assert [(s.labels, s.value) for s in ages] == [({"bot": "one", "symbol": evil}, 3.0)]


def test_however_many_ask_the_files_of_a_bot_are_read_once_a_second(tmp_path: Path) -> None:
    now = [100.0]
    view = FleetView(fleet_of(tmp_path), monotonic=lambda: now[0])
    view.leave([seen(tmp_path, "one", pid=1)])
    said(tmp_path, "one")
    assert 'watchkeeper_open_orders{bot="one"} 3' in view.metrics()
    said(tmp_path, "one", open_orders=4)
    assert 'watchkeeper_open_orders{bot="one"} 3' in view.metrics()
    now[0] += 1
    assert 'watchkeeper_open_orders{bot="one"} 4' in view.metrics()


def test_a_run_directory_that_is_gone_says_nothing(tmp_path: Path) -> None:
    view = FleetView(fleet_of(tmp_path))
    view.leave([seen(tmp_path, "vanished", pid=1)])
    assert "watchkeeper_open_orders{" not in view.metrics()
    assert 'watchkeeper_fleet_bot_up{bot="vanished"} 1' in view.metrics()


def test_a_label_with_quotes_and_braces_stays_one() -> None:
    sample = 'x{symbol="a\\"}{,b\\\\"} 1\n'
    (text,) = merged({"one": f"# HELP x What.\n# TYPE x gauge\n{sample}"})

    assert text.splitlines()[-1] == 'x{bot="one",symbol="a\\"}{,b\\\\"} 1'


# ---------------------------------------------------------------- the page


def test_the_page_holds_its_facts_as_data_and_talks_to_nobody(tmp_path: Path) -> None:
    model = standing("desk", 9, [seen(tmp_path, why=EVIL)], NOW_NS)
    html = page(model)

    assert 'document.title="owned"</script>' not in html
    assert html.count("</script>") == 4
    assert "connect-src 'none'" in policy(live=False)
    assert "connect-src 'self'" in policy(live=True)
    data = html.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    assert json.loads(data) == model


def test_the_live_shell_holds_no_fact_at_all() -> None:
    assert '<script type="application/json" id="data">{}</script>' in page(None)


# ---------------------------------------------------------------- serving

Ask = Callable[..., tuple[int, dict[str, str], str]]


def fleet_of(folder: Path, **keys: Any) -> FleetConfig:
    (folder / "one.toml").write_text('name = "one"\n')
    bots = [{"id": "one", "config": "one.toml"}]
    return parse_fleet({"name": "desk", "bot": bots, **keys}, folder / "fleet.toml")


@contextmanager
def asked(fleet: FleetConfig, view: FleetView) -> Iterator[Ask]:
    with serving(fleet, view) as server:
        assert isinstance(server, HttpServer)

        def ask(path: str, **headers: str) -> tuple[int, dict[str, str], str]:
            with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as line:
                line.request("GET", path, headers=headers)
                answer = line.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read().decode()

        yield ask


def test_a_living_fleet_answers_for_itself_and_its_bots(tmp_path: Path) -> None:
    fleet = fleet_of(tmp_path, http="127.0.0.1:0")
    said(tmp_path)
    view = FleetView(fleet)
    with asked(fleet, view) as ask:
        assert ask("/livez")[0] == 503, "it has not looked yet"
        view.leave([seen(tmp_path, pid=1)])
        assert [ask(path)[0] for path in ("/livez", "/readyz", "/startupz")] == [200] * 3

        status, headers, text = ask("/")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert headers["Content-Security-Policy"] == policy(live=True)
        assert text == page(None)
        status, _, text = ask("/fleet.json")
        assert (status, json.loads(text)["bots"][0]["open_orders"]) == (200, 3)
        assert 'watchkeeper_open_orders{bot="one"} 3' in ask("/metrics")[2]
        assert ask("/other")[0] == 404
        assert ask("/", Host="evil.example")[0] == 403, "no page may ask through a browser"


def test_with_a_token_the_shell_is_open_and_the_facts_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_TOKEN", "a-token-of-some-length")
    fleet = fleet_of(tmp_path, http="127.0.0.1:0", http_token_env="DESK_TOKEN")
    view = FleetView(fleet)
    view.leave([seen(tmp_path)])
    with asked(fleet, view) as ask:
        assert ask("/")[0] == 200
        assert [ask(path)[0] for path in ("/fleet.json", "/metrics")] == [401, 401]
        bearer = {"Authorization": "Bearer a-token-of-some-length"}
        assert [ask(path, **bearer)[0] for path in ("/fleet.json", "/metrics")] == [200, 200]


def test_a_loop_that_does_not_come_round_is_not_alive(tmp_path: Path) -> None:
    now = [100.0]
    view = FleetView(fleet_of(tmp_path, look_s=1), monotonic=lambda: now[0])
    view.leave([])
    now[0] += 14
    assert view.probe("live") == ""
    now[0] += 2
    assert view.probe("live") == "the orchestrator has not looked at its bots for 16 s"
    assert view.probe("startup") == ""


def test_a_loop_that_was_told_by_a_reload_to_come_round_less_often_is_alive(tmp_path: Path) -> None:
    """Else its pod is killed for it, with every bot."""
    now = [100.0]
    view = FleetView(fleet_of(tmp_path, look_s=1), monotonic=lambda: now[0])
    view.leave([], look_s=60)
    now[0] += 100
    assert view.probe("live") == ""


def test_an_open_address_without_a_token_is_a_mistake_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is open to others"):
        fleet_of(tmp_path, http="0.0.0.0:9465")


def test_a_token_that_is_not_there_and_a_port_that_is_taken_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESK_TOKEN", raising=False)
    fleet = fleet_of(tmp_path, http="127.0.0.1:0", http_token_env="DESK_TOKEN")
    with pytest.raises(ConfigError, match="DESK_TOKEN is not set"):
        serving(fleet, FleetView(fleet))
    first = fleet_of(tmp_path, http="127.0.0.1:0")
    with serving(first, FleetView(first)) as server:
        assert isinstance(server, HttpServer)
        taken = fleet_of(tmp_path, http=f"127.0.0.1:{server.port}")  # the one that is answered
        with pytest.raises(ConfigError, match="cannot listen"):
            serving(taken, FleetView(taken))
