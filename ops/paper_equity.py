"""What a paper account is worth: what its book began with, and what the run directory earned."""

from collections.abc import Mapping
from decimal import Decimal

from exchanges.paper_book import read_deposits
from messages.errors import WatchkeeperError
from messages.exact import NOTHING
from messages.ids import quote_of
from ops.config import Config, IdempotencyBackend, VenueType


class PaperEquity:
    """By quote currency, where that is all that the account began with.

    Coins that it began with have a worth of their own, which is no part of any profit: then, and
    of a real account, and of a ledger that forgets what was earned before, there is nothing to say.
    """

    def __init__(self, config: Config) -> None:
        self._book = config.run_dir / "paper.db"
        forgets = config.idempotency.backend is IdempotencyBackend.MEMORY
        self._is_known = config.venue.type is VenueType.PAPER and not forgets
        self._quotes = {quote_of(symbol) for symbol in config.feed.symbols}
        self._began: dict[str, Decimal] = {}

    def of(self, profit: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Give it for a profit of the whole run directory; empty where it is not known."""
        began = self._beginning()
        if not began or not began.keys() >= profit.keys():
            return {}
        return {quote: amount + profit.get(quote, NOTHING) for quote, amount in began.items()}

    def _beginning(self) -> dict[str, Decimal]:
        """Read it until it is there; what a book began with does not change."""
        if not self._is_known or self._began:
            return self._began
        try:
            found = read_deposits(self._book)
        except (WatchkeeperError, OSError):
            return {}
        if found.keys() >= self._quotes and not any(
            found[one] for one in found.keys() - self._quotes
        ):
            self._began = {quote: found[quote] for quote in sorted(self._quotes)}
        return self._began
