"""`optimize` as a user meets it: searched, judged, killed, gone on with; and sentences."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

import cli
from ops.config import load
from research.optimise.columns import ColumnFile
from research.optimise.report import Report, as_table
from research.optimise.schema import schema
from tests.cli.runs import ROOT
from tests.research.optimise.markets import write_candles, write_config

pytestmark = pytest.mark.slow
if find_spec("optuna") is None:
    pytest.skip("the extra `optimize` is not installed", allow_module_level=True)

LONG = (
    pytest.mark.stress,
    pytest.mark.skipif(
        not os.environ.get("WATCHKEEPER_STRESS"), reason="the long form: tox -e stress"
    ),
)
RANGES = ("--param", "fast=2:30", "--param", "slow=5:90")
FEW = ("--windows", "2", "--min-orders", "3", *RANGES)
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "optimize.schema.json"


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four months of hours, a configuration, and we are beside them."""
    monkeypatch.chdir(tmp_path)
    write_candles(tmp_path / "candles.csv", 3_000)
    write_config(tmp_path)
    return tmp_path


def optimize(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any, str]:
    """Run it in this process; give its code, its JSON and what it said beside."""
    code = cli.main(["optimize", "bot.toml", *words, "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else None, told.err


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "optimize", "bot.toml", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def rows(file: Path) -> dict[tuple[str, int], tuple[str, str | None, Any]]:
    """Give every trial by study and number: its state, when it ended, its values."""
    if not file.exists():
        return {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        try:
            found = database.execute(
                "select s.study_name, t.number, t.state, t.datetime_complete, t.trial_id"
                " from trials t join studies s using (study_id)"
            ).fetchall()
            params = database.execute(
                "select trial_id, param_name, param_value from trial_params"
            ).fetchall()
        except sqlite3.OperationalError:
            return {}
    by_trial: dict[int, list[Any]] = {}
    for key, *value in params:
        by_trial.setdefault(key, []).append(tuple(value))
    return {
        (name, number): (state, ended, tuple(sorted(by_trial.get(key, []))))
        for name, number, state, ended, key in found
    }


def over(file: Path) -> int:
    return sum(state != "RUNNING" for state, _, _ in rows(file).values())


def wait_until(true: Any, process: "subprocess.Popen[str]", limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it did not come about"
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue


def test_killed_in_the_middle_and_gone_on_with_no_trial_is_lost_or_run_twice(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = market / "studies" / "searched.db"
    each = 100 if os.environ.get("WATCHKEEPER_STRESS") else 15
    asked = ("--trials", str(each), "--jobs", "2", *FEW)
    process = start(market, *asked)
    wait_until(lambda: over(file) >= 5, process)
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    gone, alive = psutil.wait_procs(workers, timeout=10)
    before = rows(file)

    code, report, said = optimize(capsys, *asked)

    after = rows(file)
    assert code == 0
    assert alive == []
    assert len(gone) == 2
    assert 5 <= over_of(before) < 3 * each
    assert "it goes on" in said
    for key, (state, ended, params) in before.items():
        now_state, now_ended, now_params = after[key]
        assert now_params == params, "a trial was changed"
        assert now_state != "RUNNING", "a trial was lost"
        if state != "RUNNING":
            assert (now_state, now_ended) == (state, ended), "a trial was run twice"
    assert report["is_complete"]
    assert report["trials"] == 3 * each
    for number, window in enumerate(report["windows"], 1):
        counts = window["trials"]
        assert sum(counts[how] for how in ("done", "given_up", "unjudged", "failed")) == each
        mine = [
            params for (name, _), (_, _, params) in after.items() if name.endswith(f"/{number}")
        ]
        assert len(mine) == len(set(mine)) == each, "a set was tried twice"


def over_of(found: dict[Any, Any]) -> int:
    return sum(state != "RUNNING" for state, _, _ in found.values())


@pytest.mark.parametrize("blow", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=LONG)], ids=str)
def test_interrupted_it_tells_what_was_found_and_how_to_go_on(
    market: Path, blow: signal.Signals
) -> None:
    file = market / "studies" / "searched.db"
    process = start(market, "--trials", "500", *FEW)
    wait_until(lambda: over(file) >= 7, process)
    workers = psutil.Process(process.pid).children()

    process.send_signal(blow)
    told, said = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "optimize of searched" in told
    assert "chosen   fast = " in told
    assert "of 1,500 trials are kept in studies/searched.db; the same command goes on" in said
    assert "Traceback" not in said
    assert psutil.wait_procs(workers, timeout=10)[1] == []


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.usefixtures("market")
def test_interrupted_while_it_reads_it_says_that_no_trial_was_added(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, blow: signal.Signals
) -> None:
    def struck(*_: object) -> None:
        signal.raise_signal(blow)

    monkeypatch.setattr(ColumnFile, "add", struck)

    code, report, said = optimize(capsys, "--trials", "5", *FEW)

    assert (code, report) == (130, None)
    assert said.endswith(
        "interrupted before the first trial: none was added; the same command begins again\n"
    )


@pytest.mark.stress
@LONG[1]
def test_one_worker_gives_the_same_report_of_a_seed_and_another_of_another(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--trials", "8", "--jobs", "1", *FEW)
    reports = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        code, report, _ = optimize(capsys, "--study", name, "--seed", seed, *words)
        assert code == 0
        reports.append({**report, "study": "", "storage": "", "seed": 0})

    assert reports[0] == reports[1]
    assert reports[0]["windows"] != reports[2]["windows"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A search that was made: its folder, with what it wrote, and its report."""
    folder = tmp_path_factory.mktemp("found")
    write_candles(folder / "candles.csv", 3_000)
    write_config(folder)
    (folder / "written").mkdir()
    words = ("--trials", "6", "--write", "written/best.toml", "--json", *FEW)
    out, said = start(folder, *words).communicate(timeout=120)
    assert out, said
    return folder, json.loads(out)


def test_the_report_is_of_its_schema_which_is_that_of_the_code(found: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    published = json.loads(SCHEMA.read_text())

    jsonschema.validate(found[1], published)

    assert published == json.loads(json.dumps(schema()))


def test_the_unseen_parts_add_up_and_come_first(found: Any) -> None:
    _, report = found

    assert report["claim"].startswith("no edge claimed")
    assert len(report["windows"]) == 3
    parts = [window["unseen"] for window in report["windows"] if window["unseen"]]
    assert len(parts) == 2
    assert sum(part["orders"] for part in parts) == report["unseen"]["orders"]
    assert sum(Decimal(part["net"]) for part in parts) == Decimal(report["unseen"]["net"])
    table = list(as_table(msgspec.convert(report, Report)))
    assert table[1].startswith("  unseen ")
    assert table[-1].startswith("  no edge claimed")


def test_what_it_writes_is_the_configuration_with_what_was_found(
    found: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, report = found
    monkeypatch.chdir(folder)

    written, config = load(Path("written/best.toml")), load(Path("bot.toml"))

    assert written.strategies[0].params == report["best"]["params"]["s"]
    assert config.feed.paths == {"BTC/USDT": folder / "candles.csv"}
    assert written.feed.paths == config.feed.paths
    same = msgspec.structs.replace(written, strategies=config.strategies)
    assert same == config
    assert cli.main(["optimize", "bot.toml", "--write", "written/best.toml", *RANGES]) == 2
    assert "there is such a file already" in capsys.readouterr().err


def test_an_unseen_part_is_what_a_backtest_of_the_chosen_values_gives_there(
    found: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the last unseen part, cut out of the recording with as much before it as is warm-up."""
    folder, report = found
    monkeypatch.chdir(folder)
    window = report["windows"][1]
    params = window["best"]["params"]["s"]
    lines = (folder / "candles.csv").read_text().splitlines()
    begins = time_ms(window["seen_until"])
    place = next(n for n, line in enumerate(lines[1:], 1) if int(line.split(",")[0]) > begins)
    cut = [lines[0], *lines[place - 1 - params["slow"] :]]
    (folder / "cut.csv").write_text("\n".join(cut) + "\n")
    text = (folder / "bot.toml").read_text()
    text = text.replace("candles.csv", "cut.csv").replace("fast = 5", f"fast = {params['fast']}")
    (folder / "cut.toml").write_text(text.replace("slow = 20", f"slow = {params['slow']}"))

    assert cli.main(["backtest", "cut.toml", "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)

    assert window["unseen"]["orders"] == sum(alone["orders"].values()) > 5
    assert window["unseen"]["net"] == alone["quotes"][0]["net"]


def time_ms(text: str) -> float:
    """Give the opening of the hour before a moment."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    return moment.timestamp() * 1000 - 3_600_000


def test_a_strategy_that_always_fails_ends_with_a_sentence(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (market / "bad.py").write_text(
        "import msgspec\n"
        "from strategies import Strategy\n"
        "class Params(msgspec.Struct):\n"
        "    n: int = 1\n"
        "class Bad(Strategy):\n"
        "    Params = Params\n"
        "    def __init__(self, *_):\n"
        "        pass\n"
        "    def on_candle(self, candle, position):\n"
        "        return 1 / 0\n"
    )
    write_config(market, "bad.py:Bad", "n = 1")

    code = cli.main(["optimize", "bot.toml", "--param", "n=1:500", "--trials", "30"])

    said = capsys.readouterr().err
    assert code == 2
    assert "all of 20 trials failed, the last because" in said
    assert "ZeroDivisionError" in said
    assert "bad.py:10" in said


@pytest.fixture
def plain(market: Path) -> Iterator[Path]:
    """Where a search is refused before it begins, and leaves nothing behind."""
    yield market
    assert not (market / "studies").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--storage", "postgresql://me:secret@host/db"], "a password on the command line"),
        (["--storage", "postgresql://host/db?password=secret"], "a password on the command line"),
        (["--storage", "mysql://host/db"], "neither sqlite:///FILE.db nor postgresql://HOST/NAME"),
        (["--storage-env", "NO_SUCH"], "there is no such variable"),
        (["--storage", "sqlite:///a.db", "--storage-env", "X"], "take one"),
        (["--param", "fats=1:2"], "there is no such parameter"),
        (["--write", "nowhere/best.toml"], "no such folder"),
        (["--windows", "0", "--param", "fast=5"], "expected LOW:HIGH"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    plain: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code = cli.main(["optimize", "bot.toml", *words])

    told = capsys.readouterr()
    assert code == 2
    assert said in told.err
    assert told.err.count("\n") == 1
    assert "secret" not in told.err + told.out


def test_without_a_word_what_has_declared_bounds_is_searched_and_nothing_else(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (market / "boundless.py").write_text(
        "import msgspec\n"
        "from strategies import Strategy\n"
        "class Params(msgspec.Struct):\n"
        "    n: int = 1\n"
        "class Boundless(Strategy):\n"
        "    Params = Params\n"
        "    def __init__(self, *_):\n"
        "        pass\n"
        "    def on_candle(self, *_):\n"
        "        pass\n"
    )
    write_config(market, "boundless.py:Boundless", "n = 1")

    assert cli.main(["optimize", "bot.toml"]) == 2

    said = capsys.readouterr().err
    assert "no parameter has declared bounds at both ends: say what to search" in said
    write_config(market)
    few = ("--trials", "1", "--windows", "0", "--min-orders", "0", "--objective", "return")
    code, report, _ = optimize(capsys, *few, "--jobs", "1")
    assert (code, report["space"]) == (0, ["s.fast=1:10000", "s.slow=2:10000"])


def test_a_full_disk_is_a_sentence_that_names_the_place(
    plain: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ColumnFile, "_append", full)

    assert cli.main(["optimize", "bot.toml", *RANGES]) == 2
    assert "the market finds no room in" in capsys.readouterr().err


@pytest.mark.stress
@LONG[1]
def test_other_data_under_the_same_name_is_refused(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--trials", "2", "--windows", "0", *RANGES)
    assert optimize(capsys, *words)[0] == 0
    write_candles(market / "candles.csv", 3_000, seed=4)

    code, _, said = optimize(capsys, *words)

    assert code == 2
    assert "begun with other data: give this search a name of its own (--study NAME)" in said
