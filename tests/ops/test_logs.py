import json
import logging
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from ops.logs import LogSettings, set_up_logging, unhandled_are_logged

SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A file to log to. Set up in the test itself: its stderr is not the fixture's."""
    names = (None, "pykka", "ccxt", "asyncio", "aiohttp", "apprise", "py.warnings")
    loggers = [logging.getLogger(name) for name in names]
    before = {one: (one.handlers, one.level) for one in loggers}
    yield tmp_path / "watchkeeper.log"
    logger.remove()
    logger.configure(patcher=lambda _: None)
    logging.captureWarnings(capture=False)
    for one, (handlers, level) in before.items():
        one.handlers, one.propagate = handlers, True
        one.setLevel(level)


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


def test_a_secret_that_was_cut_is_not_shown_either(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(log, secrets=[SECRET])
    logger.bind(said=f"{SECRET[:20]}...").error(f"refused {SECRET[:12]}...")

    shown = log.read_text() + capsys.readouterr().err
    assert "refused ***..." in shown
    assert SECRET[:12] not in shown


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


@pytest.mark.parametrize("name", ["ccxt.base.exchange", "asyncio", "some.library"])
def test_other_libraries_lines_come_too_and_stay_off_the_screen_where_they_are_known(
    log: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    set_up_logging(log, secrets=[SECRET])
    logging.getLogger(name).warning("retry with %s", SECRET)

    assert f"WARNING  retry with *** actor={name}" in log.read_text()
    assert ("retry" in capsys.readouterr().err) is (name == "some.library")


def test_a_librarys_debug_lines_which_hold_whole_requests_are_not_written(log: Path) -> None:
    set_up_logging(log)
    logging.getLogger("ccxt.base.exchange").debug("GET, Request: {'X-MBX-APIKEY': ...}")
    logger.info("the end")

    assert "APIKEY" not in log.read_text()


def test_a_librarys_broken_line_harms_nobody(log: Path) -> None:
    set_up_logging(log)
    logging.getLogger("ccxt").warning("two %s %s", "one")

    assert "two %s %s (TypeError" in log.read_text()


def test_a_line_in_json_is_one_object(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(log, secrets=[SECRET], settings=LogSettings(as_json=True))
    try:
        raise ValueError(f"bad\nkey {SECRET}")
    except ValueError:
        logger.bind(order_key="7" * 32).exception("it {failed}")

    (line,) = log.read_text().splitlines()
    found = json.loads(line)
    assert found["level"] == "error"
    assert found["message"] == "it {failed}"
    assert found["order_key"] == "7" * 32
    assert found["traceback"].endswith("ValueError: bad\nkey ***")
    assert json.loads(capsys.readouterr().err) == found


def test_what_an_actor_writes_names_it_and_the_decision_it_works_on(log: Path) -> None:
    set_up_logging(log, context=lambda: {"actor": "a/b", "trace_id": "9" * 32})
    logger.info("by itself")
    logger.bind(actor="another").info("bound")

    by_itself, bound = log.read_text().splitlines()
    assert by_itself.endswith(f"by itself actor=a/b trace_id={'9' * 32}")
    assert bound.endswith(f"bound actor=another trace_id={'9' * 32}")


def test_what_ends_a_thread_is_logged_without_its_secrets(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ValueError(f"bad {SECRET}")

    set_up_logging(log, secrets=[SECRET])
    with unhandled_are_logged([SECRET]):
        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join()

    assert "the thread worker ended by ValueError" in log.read_text()
    assert SECRET not in log.read_text() + capsys.readouterr().err


def test_what_python_ignores_is_printed_without_secrets(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Leaky:
        def __repr__(self) -> str:
            return f"<Leaky {SECRET}>"

        def __del__(self) -> None:
            raise ValueError(f"bad {SECRET}")

    set_up_logging(log, secrets=[SECRET])
    with unhandled_are_logged([SECRET]):
        Leaky()

    told = capsys.readouterr().err
    assert "Leaky.__del__" in told
    assert "ValueError: bad ***" in told
    assert SECRET not in told


def test_errors_are_counted(log: Path) -> None:
    counts = set_up_logging(log)
    logger.warning("no error")
    logger.error("one")
    logger.critical("two")

    assert counts.errors == 2


def test_the_login_of_an_address_is_not_written(log: Path) -> None:
    set_up_logging(log)
    logger.info("through http://user:word@proxy:8080/")

    assert "through http://***@proxy:8080/" in log.read_text()


def test_the_file_is_its_owners_alone(log: Path) -> None:
    set_up_logging(log, secrets=[SECRET, ""])
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize("as_json", [False, True])
def test_a_disk_that_is_full_costs_one_line_on_the_screen_and_no_traceback(
    capsys: pytest.CaptureFixture[str], log: Path, *, as_json: bool
) -> None:
    log.symlink_to("/dev/full")
    set_up_logging(log, secrets=[SECRET], settings=LogSettings(as_json=as_json))

    for number in range(3):
        logger.info("quiet {}", number)
        logger.warning("loud {} {}", number, SECRET)

    first, *rest = capsys.readouterr().err.splitlines()
    said = "watchkeeper.log cannot be written, lines are left out: No space left on device"
    assert (json.loads(first)["message"] if as_json else first[9:]) == (
        said if as_json else f"WARNING  {said}"
    )
    assert len(rest) == 3
    assert all(f"loud {number} ***" in line for number, line in enumerate(rest))


def test_a_full_file_is_rotated(log: Path) -> None:
    set_up_logging(log, settings=LogSettings(rotate_bytes=1_000, keep=2))

    for number in range(100):
        logger.info("line {}", number)
    logger.remove()

    assert len(list(log.parent.iterdir())) == 3
