"""From standing by to holding the account: warm until then, and what was warm handed on."""

from collections.abc import Callable
from contextlib import ExitStack

from decisions.lease import Wait
from messages.lease import Moment
from ops.config import Config
from ops.held_account import Account, hold_account
from ops.lease import Tell
from ops.lease_place import place_of
from ops.live_venue import check_variables
from ops.standby import Handed, standing_by
from ops.standby_answers import StandbyView, answering


def taken_over(
    config: Config, stack: ExitStack, tell: Tell, waits: Callable[[], object]
) -> tuple[Account, Handed]:
    """Wait for the account of a config as long as it takes; it is the stack's to let go of.

    The feed that is handed over is the caller's to close. `tell` as in `hold_lease`. `waits` is
    called once, when it is sure that there is somebody to wait for.

    Raises:
        LeaseError: its orders are in another run directory.
        ConfigError: a secret, or the directory of the leases, is missing.
    """
    check_variables(config)
    with ExitStack() as waiting:
        warming = waiting.enter_context(standing_by(config, place_of(config).ledger))
        view = StandbyView(config, warming.snapshot)
        waiting.enter_context(answering(config, view))

        is_first = True

        def seen(wait: Wait, at: Moment) -> None:
            """Get warm only once it is sure that there is somebody to wait for."""
            nonlocal is_first
            if is_first:
                waits()
                is_first = False
            view.seen(wait, at)
            warming.start()

        holding = hold_account(config, standby=True, seen=seen, tell=tell)
        account = stack.enter_context(holding)
        return account, warming.hand_over()
