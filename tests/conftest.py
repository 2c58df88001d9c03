"""What every test is kept from: the state of the user who runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def _state_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Leases of live accounts lie in the user's state directory unless a config says otherwise."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder
