"""What a search needs that the first install does not bring; asked before it is imported."""

from importlib.util import find_spec

from messages.errors import ConfigError
from messages.extras import how_to_install


def check_installed() -> None:
    """Pass where Optuna is installed.

    Raises:
        ConfigError: it is not.
    """
    if find_spec("optuna") is None:
        text = f"optimize takes Optuna, which is not installed: {how_to_install('optimize')}"
        raise ConfigError([text])
