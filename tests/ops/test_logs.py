import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from ops.logs import set_up_logging

SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A file to log to. Set up in the test itself: its stderr is not the fixture's."""
    yield tmp_path / "watchkeeper.log"
    logger.remove()
    logger.configure(patcher=lambda _: None)
    pykka = logging.getLogger("pykka")
    pykka.handlers, pykka.propagate = [], True


def test_everything_goes_to_the_file_and_warnings_to_the_screen(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(log, secrets=[SECRET, ""])
    logger.bind(actor="x").info("quiet {}", 1)
    logger.warning("loud {not a field}")

    assert "quiet 1 actor=x" in log.read_text()
    screen = capsys.readouterr().err
    assert "loud {not a field}" in screen
    assert "quiet" not in screen


def test_a_secret_is_in_no_line_no_field_and_no_traceback(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(log, secrets=[SECRET, ""])
    try:
        raise ValueError(f"bad signature for {SECRET}")
    except ValueError:
        logger.bind(key=SECRET).exception(f"refused {SECRET}")

    shown = log.read_text() + capsys.readouterr().err
    assert SECRET not in shown
    assert "ValueError: bad signature for ***" in shown


def test_a_secret_is_not_shown_by_a_sink_that_fails(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(log, secrets=[SECRET, ""])

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    logger.add(full)
    logger.bind(key=SECRET).info(f"refused {SECRET}")

    shown = capsys.readouterr().err
    assert "No space left on device" in shown
    assert SECRET not in shown


def test_pykkas_own_lines_come_too(log: Path) -> None:
    set_up_logging(log, secrets=[SECRET, ""])
    logging.getLogger("pykka").error("Unhandled exception in %s", "actor")

    assert "ERROR    Unhandled exception in actor actor=pykka" in log.read_text()


def test_the_file_is_its_owners_alone(log: Path) -> None:
    set_up_logging(log, secrets=[SECRET, ""])
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_full_file_is_rotated(log: Path) -> None:
    set_up_logging(log, rotate_bytes=1_000, keep=2)

    for number in range(100):
        logger.info("line {}", number)
    logger.remove()

    assert len(list(log.parent.iterdir())) == 3
