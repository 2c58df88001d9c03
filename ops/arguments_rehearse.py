"""What the local exchange and the rehearsal of crashes take."""

from pathlib import Path
from typing import TYPE_CHECKING

from ops.arguments_shared import add_command, count, port, seed, speed_or_none

if TYPE_CHECKING:
    from ops.arguments_shared import Add, Commands


def _add_venue(commands: "Commands") -> None:
    summary = "serve a local exchange that ccxt takes for a real one, faults on request"
    venue = add_command(commands, "venue", summary)
    venue.add_argument("--port", type=port, default=0, help="0, the default, takes a free one")
    control = "where faults are asked for; 0 is any"
    venue.add_argument("--control-port", type=port, default=0, metavar="PORT", help=control)
    venue.add_argument(
        "--seed", type=seed, default=13, metavar="N", help="of its market and chances"
    )
    listed = "what is listed (BTC/USDT,ETH/USDT)"
    venue.add_argument("--symbols", default="BTC/USDT,ETH/USDT", metavar="A/B,C/D", help=listed)
    venue.add_argument("--state", type=Path, metavar="FILE", help="outlives a restart, and a kill")
    whose = "whose API is played (binance)"
    venue.add_argument("--profile", choices=("binance", "okx"), default="binance", help=whose)
    how = "market seconds per second; with 0 it stands until it is advanced"
    venue.add_argument("--speed", type=speed_or_none, default=1.0, metavar="X", help=how)
    venue.add_argument(
        "--candles", type=Path, metavar="FILE", help="a recording that the first symbol follows"
    )
    venue.add_argument(
        "--balance", action="append", default=[], metavar="ASSET=AMOUNT", help="again and again"
    )
    venue.add_argument("--fees-in-bnb", action="store_true", help="as with Binance's discount")
    what = "a new file for what it prints of a configuration"
    venue.add_argument("--write", type=Path, metavar="FILE", help=what)
    venue.add_argument("--json", action="store_true", help="one JSON object")
    venue.set_defaults(command="venue")


_FULL = (
    "all cases: killed, or the executor struck, at every point of its road under the faults that"
    " docs/drill.md lists for it, some of them at few points; strategies, feed and metrics die at 3"
    " of an order's 23 points, supervisors never"
)


def _add_drill(commands: "Commands") -> None:
    summary = "kill a bot at every step of an order, and see that no order is doubled or lost"
    drill = add_command(commands, "drill", summary)
    drill.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="default: the demo")
    which = drill.add_mutually_exclusive_group()
    which.add_argument(
        "--quick", dest="full", action="store_false", help="a choice of cases (the default)"
    )
    which.add_argument("--full", action="store_true", help=_FULL)
    which.add_argument(
        "--case",
        action="append",
        default=[],
        metavar="CASE",
        help="POINT/FAULT/BLOW or ROAD/POINT/FAULT/BLOW, again and again",
    )
    drill.add_argument("--seed", type=seed, metavar="N", help="of the market and of the order")
    drill.add_argument(
        "--candles", type=count, metavar="N", help="how much market; default: two orders' worth"
    )
    drill.add_argument("--jobs", type=count, metavar="N", help="cases at once")
    drill.add_argument("--keep", type=Path, metavar="DIR", help="leave the run directories here")
    where = "ledgers in PostgreSQL: the variable with its address; schemas wk_drill_... come and go"
    drill.add_argument("--database-url-env", metavar="NAME", help=where)
    drill.add_argument("--json", action="store_true", help="one JSON object a line")
    drill.set_defaults(command="drill", full=False)


ADD: "dict[str, Add]" = {
    "venue": _add_venue,
    "drill": _add_drill,
}
