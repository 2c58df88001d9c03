"""`replay --param` and `--code-from`: what would have been decided; and the exit codes."""

import shutil
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.orders import OrderIntent
from ops import run_files
from tests.replay.runs import FILE, STRATEGY, config_of, messages, object_in, replayed, run

ROOT = Path(cli.__file__).parent


@pytest.fixture
def a_run(tmp_path: Path) -> Path:
    run(config_of(tmp_path / "run", "sma_cross"))
    return tmp_path / "run"


@pytest.fixture
def a_run_of_waves(tmp_path: Path) -> Path:
    run(config_of(tmp_path / "run", "Waves"))
    return tmp_path / "run"


def replay(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, str, str]:
    code = cli.main(["replay", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_same_is_said_in_a_table_and_as_an_object_and_no_file_is_touched(
    a_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_run = shutil.copytree(a_run, tmp_path / "copy")  # nobody else has these files open
    before = {path: path.stat().st_mtime_ns for path in a_run.rglob("*")}

    code, text, speed = replay(capsys, a_run)
    assert code == 0
    assert text.splitlines()[-1] == "0 divergences"
    assert "compared from" in text
    assert "events/s" in speed
    code, text, _ = replay(capsys, a_run, "--json")
    told = object_in(text)

    assert (code, told["divergences"], told["first"]) == (0, 0, None)
    assert told["strategies"]["one"]["events"] == 120
    assert {path: path.stat().st_mtime_ns for path in a_run.rglob("*")} == before


def test_a_changed_parameter_names_the_first_decision_that_is_another(
    a_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, _ = replay(capsys, a_run, "--param", "one.fast=4")
    lines = text.splitlines()

    assert code == 1
    begin = lines.index("the first:")
    assert lines[begin - 1].endswith("recorded only)") or "divergences (" in lines[begin - 1]
    assert lines[begin + 1].startswith("  one, message ")
    shown = [line.split()[0] for line in lines[begin + 2 : begin + 5]]
    assert shown == ["on", "recorded", "replayed"]
    assert any(line.strip().startswith("position BTC/USDT:") for line in lines[begin:])


def test_all_of_them_are_told_when_asked_for(
    a_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, _ = replay(capsys, a_run, "--param", "one.fast=4", "--all", "--json")

    *each, whole = text.splitlines()
    assert code == 1
    assert len(each) == object_in(whole)["divergences"] > 1
    assert [object_in(line)["divergence"]["who"] for line in each] == ["one"] * len(each)
    assert object_in(each[0])["divergence"] == object_in(whole)["first"]


def test_what_would_have_been_is_what_such_a_run_is(tmp_path: Path) -> None:
    """The replay with a parameter decides what a run with it does, to the key."""
    run(config_of(tmp_path / "run", "Waves"))
    other = config_of(tmp_path / "other", "Waves")
    other.strategies[0].params["deep"] = 4
    run(other)
    wanted = {m.order_key for _, _, m in messages(tmp_path / "other", OrderIntent, STRATEGY)}
    there = {m.order_key for _, _, m in messages(tmp_path / "run", OrderIntent, STRATEGY)}

    _, divergences = replayed(tmp_path / "run", params=("one.deep=4",))

    found = {d.order_key for d in divergences if d.replayed and not d.recorded}
    missing = {d.order_key for d in divergences if d.recorded and not d.replayed}
    assert found == wanted - there
    assert missing == there - wanted


@pytest.mark.parametrize("by_name", [False, True])
def test_another_file_of_the_strategy_is_what_if_too(
    a_run_of_waves: Path, tmp_path: Path, by_name: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").mkdir()
    new = tmp_path / "new" / FILE.name
    new.write_text(FILE.read_text().replace("if not self.seen % 3", "if not self.seen % 4"))
    source = f"{new}:Waves" if by_name else new

    code, text, _ = replay(capsys, a_run_of_waves, "--code-from", source)
    assert code == 1
    assert "note          one is replayed by another code than ran" in text
    code, text, _ = replay(capsys, a_run_of_waves, "--code-from", tmp_path / "new")
    assert code == 1


def test_a_changed_stop_distance_names_the_first_decision_with_both_stops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else of it differs: side, quantity and price are the same."""
    run(config_of(tmp_path / "run", "Stopped", candles=40))
    first = messages(tmp_path / "run", OrderIntent, STRATEGY)[0][2]
    new = tmp_path / "new.py"
    new.write_text(FILE.read_text().replace("candle.close / 2000", "candle.close / 2500"))

    code, text, _ = replay(
        capsys, tmp_path / "run", "--code-from", f"{new}:Stopped", "--json", "--all"
    )

    assert code == 1
    found = object_in(text)["first"]
    assert (found["kind"], found["order_key"]) == ("another", first.order_key)
    assert "the candle of BTC/USDT that closed at" in found["event"]
    close, kept = first.reference_price, first.protection
    assert f"stop-loss {kept.stop_loss}, take-profit {kept.take_profit})" in found["recorded"]
    near = close / 2500
    assert f"stop-loss {close - near}, take-profit {close + near})" in found["replayed"]
    assert {"seen", "position BTC/USDT"} <= set(found["state"])
    trails = [object_in(line)["divergence"] for line in text.splitlines()[:-1]]
    assert any(
        "trailing " in one["recorded"] and one["recorded"] != one["replayed"] for one in trails
    )


def test_the_same_code_from_another_file_is_no_divergence(
    a_run_of_waves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copy(FILE, tmp_path / "copied.py")

    assert replay(capsys, a_run_of_waves, "--code-from", copied)[0] == 0


@pytest.mark.slow
def test_another_checkout_replays_by_its_own_code(
    a_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkout = tmp_path / "checkout"
    for package in ("actors", "decisions", "exchanges", "messages", "ops", "persistence"):
        shutil.copytree(ROOT / package, checkout / package)
    for package in ("research", "strategies"):
        shutil.copytree(ROOT / package, checkout / package)
    shutil.copy(ROOT / "cli.py", checkout)

    same = cli.main(["replay", str(a_run), "--code-from", str(checkout)])
    said = capfd.readouterr()
    assert (same, said.out.splitlines()[-1]) == (0, "0 divergences"), said

    risk = checkout / "decisions" / "risk.py"
    limit = "limit = limit_of(limits.max_order_notional, intent.symbol)"
    assert limit in risk.read_text()
    risk.write_text(risk.read_text().replace(limit, "limit = EXACT.divide(Decimal(1), Decimal(8))"))
    other = cli.main(["replay", str(a_run), "--code-from", str(checkout), "--json"])
    told = object_in(capfd.readouterr().out)
    assert other == 1
    assert set(told["by_kind"]) == {"judged otherwise"}
    assert told["first"]["who"] == "executor"


# ------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--param", "fast=4"], "--param fast=4: expected ID.NAME=VALUE, such as sma-1.fast=12"),
        (["--param", "two.fast=4"], 'the run has no strategy "two" (it has: one)'),
        (["--param", "ones.fast=4"], 'no strategy "ones"; did you mean "one"?'),
        (["--param", "one.fats=4"], 'sma_cross has no parameter "fats"; did you mean "fast"?'),
        (["--param", "one.fast=many"], "strategy one: fast = 'many': expected"),
        (["--code-from", "nowhere.py"], "there is no such file or folder"),
        (["--code-from", str(FILE)], "the class of a strategy that ran is not in it"),
        (["--code-from", f"{FILE}:Wave"], "the class Wave is not in it"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    a_run: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = replay(capsys, a_run, *words)

    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_checkout_of_before_there_was_a_replay_says_so(
    a_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "cli.py").touch()

    code, _, err = replay(capsys, a_run, "--code-from", tmp_path / "old")

    assert code == 2
    assert "that checkout is of before there was a replay" in err


def test_without_a_journal_the_exit_code_is_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "status.json").touch()
    code, _, err = replay(capsys, tmp_path)
    assert code == 3
    assert "has no journal" in err
    assert replay(capsys)[0] == 3
    assert run_files.JOURNAL == "journal"
