"""Real money asks for two deliberate acts; this is the second."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from messages.errors import ConfigError, RunDirBusy
from ops.config import demo_config
from ops.config_schema import VenueConfig
from ops.live_consent import (
    UnreadableConsent,
    check_consent,
    check_same_money,
    note_consent,
    note_consent_of_standby,
)
from ops.run_dir import RunDir
from ops.run_files import LIVE_CONSENT, LOCK

REAL = msgspec.structs.replace(demo_config({}).venue, exchange="binance")
NOBODY = 65_534
PLAY = msgspec.structs.replace(REAL, ccxt={"sandbox": True})


def agree(run_dir: Path, venue: VenueConfig) -> None:
    """Give the word to a start that passes the venue's gate."""
    check_consent(run_dir, venue, given=True)
    with RunDir(run_dir) as held:
        note_consent(held, venue)


def test_a_live_run_that_nobody_agreed_to_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"start once with --i-understand-live for the run"):
        check_consent(tmp_path / "run", REAL, given=False)

    assert not (tmp_path / "run").exists()


def test_a_word_that_is_given_is_not_written_down_before_the_gate_has_passed(
    tmp_path: Path,
) -> None:
    check_consent(tmp_path / "run", REAL, given=True)

    assert not (tmp_path / "run").exists()


def test_the_word_is_remembered_for_its_run_directory_and_no_other(tmp_path: Path) -> None:
    agree(tmp_path / "run", REAL)

    check_consent(tmp_path / "run", REAL, given=False)
    with pytest.raises(ConfigError):
        check_consent(tmp_path / "other", REAL, given=False)


def test_the_run_directory_that_it_makes_is_for_its_owner_only(tmp_path: Path) -> None:
    agree(tmp_path / "run", REAL)

    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_a_word_for_play_money_is_none_for_real_money_and_neither_is_its_ledger(
    tmp_path: Path,
) -> None:
    """The commonest way to go live: the sandbox first, then one line of the file changed."""
    agree(tmp_path, PLAY)
    check_consent(tmp_path, PLAY, given=False)

    for given in (True, False):
        with pytest.raises(
            ConfigError, match=r"is of binance's sandbox, and .* trade binance: give"
        ):
            check_consent(tmp_path, REAL, given=given)
    with pytest.raises(ConfigError, match="a run_dir of its own"):
        check_same_money(tmp_path, msgspec.structs.replace(PLAY, exchange="kraken"))


def test_a_word_of_an_earlier_version_names_no_exchange_and_still_holds(tmp_path: Path) -> None:
    (tmp_path / LIVE_CONSENT).write_text("agreed at 2026-01-01 00:00:00 UTC\n")
    check_consent(tmp_path, REAL, given=False)


WHOLE = b"agreed at 2026-01-01 00:00:00 UTC\non binance\n"


@pytest.mark.parametrize(
    ("left", "problem"),
    [
        (b"", "it is empty, or cut off, or another file's"),
        *((WHOLE[:size], "it is empty, or cut off") for size in (1, 12, 33, 36, len(WHOLE) - 1)),
        (WHOLE + b"more", "another file's"),
        (b"yes\n", "another file's"),
        (b"\xff\xfe\x00", "it is no text"),
        (WHOLE * 1_000, "no file of ours"),
    ],
)
@pytest.mark.parametrize("given", [False, True])
def test_a_word_that_cannot_be_read_whole_is_none_and_is_not_written_over(
    tmp_path: Path, left: bytes, problem: str, given: bool
) -> None:
    """What the ledger beside it was bought with would be anybody's guess."""
    (tmp_path / LIVE_CONSENT).write_bytes(left)

    with pytest.raises(UnreadableConsent) as refused:
        check_consent(tmp_path, REAL, given=given)

    (sentence,) = refused.value.problems
    assert problem in sentence
    assert "traded is binance, delete it and start once with --i-understand-live" in sentence
    assert (tmp_path / LIVE_CONSENT).read_bytes() == left


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a directory", "a pipe"])
def test_what_is_no_file_is_no_word(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / LIVE_CONSENT)

    for given in (False, True):
        with pytest.raises(UnreadableConsent, match="does not say what was agreed to"):
            check_consent(tmp_path, REAL, given=given)


@contextmanager
def without_roots_rights() -> Iterator[None]:
    """Root may read all: be nobody meanwhile, where the tests are run by root."""
    mine = os.geteuid()
    os.seteuid(mine or NOBODY)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_what_may_not_be_read_is_no_word(tmp_path: Path) -> None:
    agree(tmp_path, REAL)
    (tmp_path / LIVE_CONSENT).chmod(0)

    with (
        without_roots_rights(),
        pytest.raises(UnreadableConsent, match="permission denied"),
    ):
        check_consent(tmp_path, REAL, given=False)


def test_the_word_is_the_owners_alone_whole_and_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut right behind the start may not leave a part of it, or its name alone."""
    synced: list[str] = []
    really = os.fsync

    def noted(fd: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        really(fd)

    monkeypatch.setattr(os, "fsync", noted)
    (tmp_path / LIVE_CONSENT).write_bytes(WHOLE)
    former = (tmp_path / LIVE_CONSENT).open("rb")

    with RunDir(tmp_path) as held:
        note_consent(held, REAL)

    assert synced == ["file", "folder"]
    with former:
        assert former.read() == WHOLE, "a new file took the place of the old one"
    assert stat.S_IMODE((tmp_path / LIVE_CONSENT).stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {LIVE_CONSENT, LOCK}


def test_of_two_starts_the_later_holder_of_the_directory_does_not_write_over_the_first_ones(
    tmp_path: Path,
) -> None:
    """Both were passed while nothing stood there."""
    check_consent(tmp_path, PLAY, given=True)
    agree(tmp_path, REAL)
    first = (tmp_path / LIVE_CONSENT).read_bytes()

    with RunDir(tmp_path) as held, pytest.raises(ConfigError, match="is of binance, and this run"):
        note_consent(held, PLAY)

    assert (tmp_path / LIVE_CONSENT).read_bytes() == first


def test_one_whose_directory_was_taken_over_writes_no_word_there(tmp_path: Path) -> None:
    """It was stopped in the gate, and goes on."""
    with (
        RunDir(tmp_path, claim="one", on_taken=lambda _: None) as stopped,
        RunDir(tmp_path, claim="two", former_claim="one") as holder,
    ):
        note_consent(holder, REAL)
        first = (tmp_path / LIVE_CONSENT).read_bytes()
        with pytest.raises(RunDirBusy):
            note_consent(stopped, REAL)

    assert (tmp_path / LIVE_CONSENT).read_bytes() == first


def test_who_waits_keeps_a_word_for_its_next_start_and_replaces_none(tmp_path: Path) -> None:
    note_consent_of_standby(tmp_path, REAL)
    check_consent(tmp_path, REAL, given=False)
    (tmp_path / LIVE_CONSENT).write_bytes(WHOLE)

    note_consent_of_standby(tmp_path, REAL)
    with pytest.raises(ConfigError, match="is of binance, and this run"):
        note_consent_of_standby(tmp_path, PLAY)

    assert (tmp_path / LIVE_CONSENT).read_bytes() == WHOLE
    assert [path.name for path in tmp_path.iterdir()] == [LIVE_CONSENT]
