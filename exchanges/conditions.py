"""What lasts: what a failed call says beside the order it was about. Pure.

An order's outcome is proved or not (`exchanges.outcomes`); here nothing is proved of any order.
A condition is told when it begins, and again with no text when it is over.
"""

import threading
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from exchanges.outcomes import Evidence
from messages.ids import Symbol, base_of, quote_of


class Sign(StrEnum):
    """What a failed call is a sign of."""

    CLOCK = "clock"
    """The venue finds the time of a request wrong."""
    KEY = "key"
    """The venue refuses the key, or what it asks for."""
    FUNDS = "funds"
    """The account has less than an order needs."""
    MAINTENANCE = "maintenance"
    PAGE = "page"
    """Something in front of the venue answers with a page for people."""
    RULES = "rules"
    """The venue's rules of the symbol are perhaps others than the ones that are known here."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something about the venue or the account that lasts until it is told with no text."""

    name: str
    """What it is told under; each stands once."""
    text: str
    """One sentence: what it is, what is done about it here, and what a person can do."""
    halts: bool = False
    """Whether trading on would be wrong before a person has looked."""


Tell = Callable[[Condition], object]

KEY, FUNDS, AWAY, CLOCK = "key", "funds", "away", "clock"

_KEY_ERRORS = frozenset(
    {"AccountNotEnabled", "AccountSuspended", "AuthenticationError", "PermissionDenied"}
)
_KEY_CODES = frozenset({"-2014", "-2015"})
_CLOCK_CODES = frozenset({"REQUEST_EXPIRED"})
"""Gate's, which ccxt takes for one of the key."""
_RULE_ERRORS = frozenset(
    {"BadRequest", "BadSymbol", "InvalidOrder", "MarketClosed", "OperationRejected"}
)


def sign_of_question(evidence: Evidence, *, is_page: bool) -> Sign | None:
    """Say what a failed question is a sign of; of the symbol's rules it never is."""
    if evidence.error == "OnMaintenance":
        return Sign.MAINTENANCE
    if is_page:
        return Sign.PAGE
    if evidence.error == "InvalidNonce" or evidence.code in _CLOCK_CODES:
        return Sign.CLOCK
    refused = evidence.error in _KEY_ERRORS or evidence.code in _KEY_CODES
    return Sign.KEY if refused else None


def sign_of_placement(evidence: Evidence, *, is_page: bool, is_duplicate: bool) -> Sign | None:
    """Say what a failed placement is a sign of.

    Whether it proves anything of the order does not matter: where a venue answers a refusal
    with HTTP 200 the order stays unknown, and the account is short of money all the same.
    """
    sign = sign_of_question(evidence, is_page=is_page)
    if sign is not None or evidence.http_status is None or is_duplicate:
        return sign
    if evidence.error == "InsufficientFunds":
        return Sign.FUNDS
    return Sign.RULES if evidence.error in _RULE_ERRORS else None


def key_refused(exchange: str, evidence: Evidence) -> Condition:
    """Say that the key is no good, or not good for this."""
    return Condition(
        name=KEY,
        text=(
            f"{exchange} refuses the key ({told_by(evidence)}): see to it there that it is valid,"
            " may trade spot and is allowed from this address; then stop this run and start it"
            " again"
        ),
        halts=True,
    )


def no_money(exchange: str, symbol: Symbol, evidence: Evidence) -> Condition:
    """Say that the account cannot pay for a buy: what is held is still watched over, and sold."""
    quote = quote_of(symbol)
    return Condition(
        name=money(symbol),
        text=(
            f"the account at {exchange} has too little {quote} for a buy of {symbol}"
            f" ({told_by(evidence)}): one as large is tried once a minute for each"
            f" symbol, and after a sale, until one is taken; sales and stops go on; add {quote}, or"
            " lower order_notional"
        ),
    )


def money(symbol: Symbol) -> str:
    """Name the condition that there is too little to buy a symbol with."""
    return f"{FUNDS} {quote_of(symbol)}"


def no_coins(exchange: str, symbol: Symbol, evidence: Evidence) -> Condition:
    """Say that the account has less to sell than this system has bought.

    A fee that is taken of what was bought leaves less of it to sell, and so does another symbol
    that is paid in it.
    """
    base = base_of(symbol)
    return Condition(
        name=FUNDS,
        text=(
            f"the account at {exchange} has too little {base} for a sale of {symbol}"
            f" ({told_by(evidence)}): compare the balances with what this run holds (fees may have"
            f" been taken in {base}, or another symbol paid in it); then stop this run and start"
            " it again"
        ),
        halts=True,
    )


def away(exchange: str, sign: Sign, evidence: Evidence | None) -> Condition:
    """Say that nobody is in who could take an order."""
    what = "is in maintenance" if sign is Sign.MAINTENANCE else "answers with a page, not with data"
    said = f" ({told_by(evidence)})" if evidence is not None else ""
    return Condition(
        name=AWAY,
        text=(
            f"{exchange} {what}{said}: nothing is sent until it answers again, then trading goes on"
            " by itself; if it lasts, see the exchange's status page and the proxy"
        ),
    )


def clocks_differ(difference: str) -> Condition:
    """Say that our clock and the venue's do not agree, by a sentence that says how."""
    return Condition(
        name=CLOCK,
        text=f"{difference}; nothing is sent until they agree, then trading goes on by itself",
    )


def not_traded(exchange: str, symbol: Symbol, why: str) -> Condition:
    """Say that one symbol is blocked; the others go on."""
    return Condition(
        name=f"symbol {symbol}",
        text=(
            f"{symbol} is blocked: {exchange} {why}; other symbols trade on, and so does this one"
            " once it is traded again; to give it up, take its strategy out of the config"
        ),
    )


def over(name: str) -> Condition:
    """Say that a condition has ended."""
    return Condition(name=name, text="")


class Standing:
    """The conditions that last now. One thread's, but for `follow`.

    What is told must not block: nothing begins or ends meanwhile, so that no end is told before
    its beginning.
    """

    def __init__(self) -> None:
        self._standing: dict[str, Condition] = {}
        self._tell: Tell | None = None
        self._telling = threading.RLock()

    def follow(self, tell: Tell) -> None:
        """Tell of what stands now, and of each change from now on."""
        with self._telling:
            self._tell = tell
            for condition in self._standing.values():
                tell(condition)

    def begin(self, condition: Condition) -> bool:
        """Take in what lasts from now on; False when it stood already."""
        if condition.name in self._standing:
            return False
        with self._telling:
            self._standing[condition.name] = condition
            if self._tell is not None:
                self._tell(condition)
        return True

    def end(self, name: str) -> None:
        """Take out what is over, if it stood."""
        with self._telling:
            if self._standing.pop(name, None) is not None and self._tell is not None:
                self._tell(over(name))

    def text(self, name: str) -> str:
        """Give the sentence of one that stands; empty for none."""
        condition = self._standing.get(name)
        return "" if condition is None else condition.text

    @property
    def all(self) -> Mapping[str, Condition]:
        """Every one that stands, by name."""
        return self._standing


def told_by(evidence: Evidence) -> str:
    """Give what the venue said in numbers, or else the name of the error."""
    parts = (
        f"HTTP {evidence.http_status}" if evidence.http_status else "",
        f"code {evidence.code}" if evidence.code else "",
    )
    return ", ".join(part for part in parts if part) or evidence.error
