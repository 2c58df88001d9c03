"""What the `journal` command says of a journal, and the code with which it ends."""

import json
import os
from pathlib import Path

import msgspec
import pytest

import cli
from messages.codec import from_json, to_msgpack
from messages.lifecycle import HaltTrading
from messages.outside import Origin
from persistence.frames import LOST, Frame
from persistence.journal import JournalWriter

HALTING = HaltTrading(reason="é\x9b2J", durable=False)
HALT = to_msgpack(HALTING)
WHOLE = Frame(Origin.COMMAND, 5, "execution/executor", HALT)
STRANGE = Frame(Origin.MARKET, 6, "feeds/x", b"\xc1")
BAD_GAP = Frame(LOST, 7, "", b"\xc1")
GAP = Frame(LOST, 7, "", msgspec.msgpack.encode(3))


def written(run: Path, *frames: Frame) -> Path:
    run.mkdir(exist_ok=True)
    writer = JournalWriter(run / "journal", lambda: 1)
    writer.write(list(frames))
    writer.close()
    return writer.segment


@pytest.mark.parametrize("arguments", [[], ["--json"]])
@pytest.mark.parametrize(
    ("frames", "code"),
    [([WHOLE, GAP], 0), ([WHOLE, STRANGE], 1), ([BAD_GAP, WHOLE], 1), ([STRANGE, GAP], 1)],
)
def test_a_message_that_cannot_be_decoded_is_a_damage(
    tmp_path: Path, frames: list[Frame], code: int, arguments: list[str]
) -> None:
    written(tmp_path / "run", *frames)

    assert cli.main(["journal", str(tmp_path / "run"), *arguments]) == code


def test_a_tail_that_was_cut_off_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "run", WHOLE, WHOLE)
    os.truncate(first, first.stat().st_size - 3)
    assert cli.main(["journal", str(tmp_path / "run")]) == 0
    assert "a frame is cut short" in capsys.readouterr().out
    written(tmp_path / "run", WHOLE)

    assert cli.main(["journal", str(tmp_path / "run")]) == 0
    assert "torn    00000001.torn: " in capsys.readouterr().out
    assert cli.main(["journal", str(tmp_path / "run"), "--json"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert json.loads(last)["torn"]["file"] == "00000001.torn"


def test_a_line_has_the_message_as_the_json_codec_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "run", WHOLE)

    assert cli.main(["journal", str(tmp_path / "run"), "--json"]) == 0

    line = capsys.readouterr().out.encode()
    assert line.isascii(), "a terminal that shows it is told nothing"
    assert list(json.loads(line)) == ["actor", "at_ns", "message", "origin"]
    row = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    assert from_json(bytes(row["message"])) == HALTING


def test_a_run_without_a_journal_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status.json").touch()

    assert cli.main(["journal", str(tmp_path), "--candles", "BTC/USDT"]) == 2
    assert "has no journal: one is kept" in capsys.readouterr().err
