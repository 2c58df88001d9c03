"""A run directory that holds decisions of other settings: nothing is sent, and the run ends."""

import json
from pathlib import Path

import pytest

from tests.cli.runs import EXAMPLES, command


@pytest.mark.slow
@pytest.mark.parametrize("events", [500, 2_000])
def test_other_settings_in_a_used_run_directory_end_with_1_however_long_the_market_is(
    tmp_path: Path, events: int
) -> None:
    """Whose window was full, because nobody followed any more, waited for them for ever."""
    text = (EXAMPLES / "demo.toml").read_text()
    changed = tmp_path / "changed.toml"
    changed.write_text(text.replace("fast = 5", "fast = 6"))
    more = ("--run-dir", str(tmp_path / "run"), "--max-events", str(events), "--json")
    assert command("start", str(EXAMPLES / "demo.toml"), *more).returncode == 0

    done = command("start", str(changed), *more)

    end = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1
    assert end["reason"].startswith("halted: LedgerConflict: ")
    assert end["counters"]["sent"] == 0
