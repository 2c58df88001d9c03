"""What a search found: its report, what it writes, and what is not seen while it searches."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

import cli
from ops.config import load
from research.optimise.report import Report, as_table
from research.optimise.schema import schema
from tests.cli.optimize.searching import FEW, LONG, RANGES, optimize, start
from tests.research.optimise.markets import write_candles, write_config

pytestmark = pytest.mark.slow
if find_spec("optuna") is None:
    pytest.skip("the extra `optimize` is not installed", allow_module_level=True)

SCHEMA = Path(__file__).parents[3] / "docs" / "schemas" / "optimize.schema.json"


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
