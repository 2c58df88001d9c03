"""Real money asks for two deliberate acts; this is the second."""

import stat
from pathlib import Path

import pytest

from messages.errors import ConfigError
from ops.live_consent import check_consent


def test_a_live_run_that_nobody_agreed_to_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"start once with --i-understand-live for the run"):
        check_consent(tmp_path / "run", given=False)

    assert not (tmp_path / "run").exists()


def test_the_word_is_remembered_for_its_run_directory_and_no_other(tmp_path: Path) -> None:
    check_consent(tmp_path / "run", given=True)

    check_consent(tmp_path / "run", given=False)
    with pytest.raises(ConfigError):
        check_consent(tmp_path / "other", given=False)


def test_the_run_directory_that_it_makes_is_for_its_owner_only(tmp_path: Path) -> None:
    check_consent(tmp_path / "run", given=True)

    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
