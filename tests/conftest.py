"""What every test is kept from: the state of a user, and the pace of the machine."""

import gc
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from exchanges.ccxt_client import import_ccxt
from messages.errors import VenueRefused

# A busy machine is not a failure: no example has a time limit.
settings.register_profile(
    "watchkeeper",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=2_000
    if os.environ.get("WATCHKEEPER_STRESS")
    else int(os.environ.get("WATCHKEEPER_EXAMPLES", "100")),
)
settings.load_profile("watchkeeper")

for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    # In the background of a script, or by `nohup`, it is ignored, and so it is by all children.
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

if os.environ.get("WATCHKEEPER_LEAN_CCXT"):
    with suppress(VenueRefused):
        import_ccxt()  # all of it is three hundred modules, which nothing has compiled there


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the cycle collector from what stays to the end: eleven thousand tests are gathered.

    It went through all of it again and again, some four percent of the CPU that tests take.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: begun last, one of them keeps a whole machine waiting."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


@pytest.fixture(autouse=True, scope="session")
def _state_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Leases of live accounts lie in the user's state directory unless a config says otherwise."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Give the folder of recorded market data, or skip."""
    beside = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("WATCHKEEPER_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no recorded market data at {folder}: set WATCHKEEPER_DATA")
    return folder
