"""Where alerts go: addresses of apprise from the environment, which are secrets themselves."""

import importlib.util
from urllib.parse import urlsplit

from messages.errors import ConfigError
from messages.extras import how_to_install
from ops.secret_names import MASK
from ops.secret_values import is_place
from persistence.secret_files import secret


def addresses(variable: str) -> list[str]:
    """Give the addresses in an environment variable, which white space parts.

    Raises:
        ConfigError: there are some, and what sends to them is not installed; or the file that
            holds them cannot be read.
    """
    found = secret(variable).split()
    if found and importlib.util.find_spec("apprise") is None:
        raise ConfigError(
            [
                f"alerts: {variable} is set and apprise is not installed:"
                f" {how_to_install('alerts')}, or unset it"
            ]
        )
    return found


def shown(url: str) -> str:
    """Give an address as it may be shown: the service, and what surely is a machine.

    Two addresses may look the same: say the number of each beside it.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    place = parts.netloc.rpartition("@")[2]
    rest = f"/{MASK}" if parts.path.strip("/") or parts.query else ""
    scheme = parts.scheme if "://" in url and parts.scheme else "?"
    return f"{scheme}://{place}{rest}" if is_place(scheme, place) else f"{scheme}://{MASK}"
