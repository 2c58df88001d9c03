"""`alert test`: one notice to each address, and whether it went."""

import json
import sys
from pathlib import Path

from messages.errors import ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from ops.alert_addresses import addresses, shown
from ops.alert_sender import Letter, apprise_sender
from ops.config_alerts import URLS_ENV
from ops.logs import quiet_standard_loggers


def alert_try(config_path: Path | None, *, as_json: bool) -> int:
    """Send, print a line for each address, and give 0 when all took it, else 1.

    Raises:
        ConfigError: there is no address, or nothing to send with.
    """
    variable, name = _named(config_path)
    urls = addresses(variable)
    if not urls:
        example = f"export {variable}=tgram://TOKEN/CHAT_ID"
        raise ConfigError(
            [f"alerts: the environment variable {variable} is not set: {example}, for example"]
        )
    quiet_standard_loggers("apprise")
    letter = Letter(f"{name}: test", "A test of the alerts. Nothing is wrong.")
    failed = 0
    for place, url in enumerate(urls, 1):
        problem = apprise_sender(url)(letter)
        failed += bool(problem)
        _say(place, shown(url), problem, as_json=as_json)
    return EXIT_FAILED if failed else EXIT_OK


def _say(place: int, address: str, problem: str, *, as_json: bool) -> None:
    row = {"number": place, "address": address, "sent": not problem, "problem": problem}
    text = f"{place}  {address}  {'sent' if not problem else f'failed: {problem}'}"
    sys.stdout.write((json.dumps(row, sort_keys=True) if as_json else text) + "\n")
    sys.stdout.flush()


def _named(config_path: Path | None) -> tuple[str, str]:
    """Give the variable's name, and the run's; without a file the usual one."""
    if config_path is None:
        return URLS_ENV, "watchkeeper"
    from ops.config import load

    config = load(config_path)
    return config.alerts.urls_env, config.name
