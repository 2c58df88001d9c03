"""What `up` tells, line by line, to readers that come, go and stand still."""

import json
import os
import time
from pathlib import Path

from ops.fleet.command import told_to


def test_a_reader_that_stands_still_holds_up_no_look_and_hears_how_much_it_missed() -> None:
    """A terminal that is held, a pager that nobody scrolls: the bots are looked after meanwhile."""
    read, written = os.pipe()
    os.set_blocking(written, False)
    while True:
        try:
            os.write(written, b" " * 512)
        except BlockingIOError:
            break
    os.set_blocking(written, True)
    with os.fdopen(written, "w") as out, os.fdopen(read, "rb") as reader:
        say = told_to(out, as_json=True)
        begun = time.monotonic()
        for bot in ("one", "two", "three"):
            say("running", bot=bot)
        assert time.monotonic() - begun < 5, "the first alone is waited for, and not for long"
        reader.read1(1 << 20)
        say("parked", bot="one")
        lines = reader.read1(1 << 20).split(b"\n")[:-1]
    told = [json.loads(line) for line in lines]
    assert [one["event"] for one in told] == ["untold", "parked"]
    assert told[0]["lines"] == 3


def test_a_file_and_what_is_none_are_told_all(tmp_path: Path) -> None:
    path = tmp_path / "up.ndjson"
    with path.open("w") as out:
        told_to(out, as_json=True)("up", fleet="desk")
    assert json.loads(path.read_text())["event"] == "up"
