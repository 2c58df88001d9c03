"""The benchmark of `health` and `/metrics` asks what it says; its figures are not judged."""

from pathlib import Path

import pytest

from benchmarks.inspection import asked


@pytest.mark.slow
def test_a_run_whose_every_actor_hangs_is_asked_over_each_road(tmp_path: Path) -> None:
    found = asked(tmp_path / "run", "hung", count=2, commands=1)

    assert len(found) == 10
    assert all(result.value and result.value > 0 for result in found)
