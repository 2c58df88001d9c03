"""Real money asks for two deliberate acts; this is the second."""

import stat
from pathlib import Path

import msgspec
import pytest

from messages.errors import ConfigError
from ops.config import demo_config
from ops.live_consent import CONSENT, check_consent, check_same_money

REAL = msgspec.structs.replace(demo_config({}).venue, exchange="binance")
PLAY = msgspec.structs.replace(REAL, ccxt={"sandbox": True})


def test_a_live_run_that_nobody_agreed_to_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"start once with --i-understand-live for the run"):
        check_consent(tmp_path / "run", REAL, given=False)

    assert not (tmp_path / "run").exists()


def test_the_word_is_remembered_for_its_run_directory_and_no_other(tmp_path: Path) -> None:
    check_consent(tmp_path / "run", REAL, given=True)

    check_consent(tmp_path / "run", REAL, given=False)
    with pytest.raises(ConfigError):
        check_consent(tmp_path / "other", REAL, given=False)


def test_the_run_directory_that_it_makes_is_for_its_owner_only(tmp_path: Path) -> None:
    check_consent(tmp_path / "run", REAL, given=True)

    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_a_word_for_play_money_is_none_for_real_money_and_neither_is_its_ledger(
    tmp_path: Path,
) -> None:
    """The commonest way to go live: the sandbox first, then one line of the file changed."""
    check_consent(tmp_path, PLAY, given=True)
    check_consent(tmp_path, PLAY, given=False)

    for given in (True, False):
        with pytest.raises(
            ConfigError, match=r"is of binance's sandbox, and .* trade binance: give"
        ):
            check_consent(tmp_path, REAL, given=given)
    with pytest.raises(ConfigError, match="a run_dir of its own"):
        check_same_money(tmp_path, msgspec.structs.replace(PLAY, exchange="kraken"))


def test_a_word_of_an_earlier_version_names_no_exchange_and_still_holds(tmp_path: Path) -> None:
    (tmp_path / CONSENT).write_text("agreed at 2026-01-01 00:00:00 UTC\n")
    check_consent(tmp_path, REAL, given=False)
