"""One account: what is free, what open orders lock, and what trades cost."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

import msgspec

from exchanges.local.refusals import Reason, Refused
from messages.exact import NOTHING

SATOSHI = Decimal("0.00000001")
BNB_DISCOUNT = Decimal("0.75")


class Balance(msgspec.Struct):
    """One asset; open orders hold what is locked."""

    free: Decimal = NOTHING
    locked: Decimal = NOTHING

    @property
    def total(self) -> Decimal:
        """Free and locked."""
        return self.free + self.locked


class Account:
    """The balances. No operation leaves one below zero."""

    def __init__(self, balances: Mapping[str, Decimal]) -> None:
        self.balances = {asset: Balance(free) for asset, free in balances.items()}
        self.changed: dict[str, None] = {}
        """The assets that were moved since somebody last cleared it, in order."""

    def free(self, asset: str) -> Decimal:
        """What can be spent."""
        return self.balances[asset].free if asset in self.balances else NOTHING

    def restore(self, asset: str, free: Decimal, locked: Decimal) -> None:
        """Take up a balance as it was left."""
        self.balances[asset] = Balance(free, locked)

    def lock(self, asset: str, quantity: Decimal) -> None:
        """Set aside what an open order may spend.

        Raises:
            Refused: there is less; nothing was locked.
        """
        if self.free(asset) < quantity:
            raise Refused(Reason.INSUFFICIENT_BALANCE)
        balance = self._touch(asset)
        balance.free -= quantity
        balance.locked += quantity

    def unlock(self, asset: str, quantity: Decimal) -> None:
        """Give back what an order did not spend."""
        balance = self._touch(asset)
        balance.locked -= quantity
        balance.free += quantity
        assert balance.locked >= 0, f"{asset}: more was unlocked than was locked"

    def spend_locked(self, asset: str, quantity: Decimal) -> None:
        """Pay out of what is locked."""
        balance = self._touch(asset)
        balance.locked -= quantity
        assert balance.locked >= 0, f"{asset}: more was spent than was locked"

    def add(self, asset: str, quantity: Decimal) -> None:
        """Receive, or with a negative quantity pay, out of what is free."""
        balance = self._touch(asset)
        if balance.free + quantity < 0:
            raise Refused(Reason.INSUFFICIENT_BALANCE)
        balance.free += quantity

    def take_changed(self) -> tuple[str, ...]:
        """Give the assets that were moved since the last call."""
        changed, self.changed = tuple(self.changed), {}
        return changed

    def _touch(self, asset: str) -> Balance:
        self.changed[asset] = None
        return self.balances.setdefault(asset, Balance())


def fee_of(received: Decimal, rate: Decimal) -> Decimal:
    """The fee in the asset received."""
    return (received * rate).quantize(SATOSHI, ROUND_DOWN)


def fee_in_bnb(quote: Decimal, rate: Decimal, bnb_price: Decimal) -> Decimal:
    """The discounted fee in BNB; `bnb_price` is in the trade's quote currency."""
    return (quote * rate * BNB_DISCOUNT / bnb_price).quantize(SATOSHI, ROUND_DOWN)
