"""An executor at a venue with an account, in a few words."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from actors.account_desk import AccountSettings, AccountView
from messages.account import AccountRead
from messages.ids import NS_PER_S, TimestampNs
from messages.orders import OrderReport, VenueStream
from messages.values import OrderState as S
from tests.actors.order_path import BTC, OrderPath, fill, key_of

NEVER_OLD_NS = 10**18
START = {"USDT": "1000", "BTC": "5"}


class Account(OrderPath):
    """An order path at a venue with an account; `says` answers the question that waits."""

    def __init__(self, folder: Path, *, halts: bool = False) -> None:
        self.view = AccountView()
        settings = AccountSettings(symbols=(BTC,), interval_ns=60 * NS_PER_S, halts=halts)
        super().__init__(folder, max_decision_age_ns=NEVER_OLD_NS, account=(settings, self.view))

    def says(
        self, problem: str = "", shown: Sequence[OrderReport] | None = None, **balances: str
    ) -> "Account":
        assert self.gateway.accounts, "nobody has asked"
        self.tell(self.read(problem, shown, **balances))
        return self

    def read(
        self, problem: str = "", shown: Sequence[OrderReport] | None = None, **balances: str
    ) -> AccountRead:
        """Give an answer; the open orders are `shown`, else as the ledger knows them."""
        held = {name: Decimal(amount) for name, amount in (START | balances).items()}
        epoch = self.gateway.accounts.pop(0)
        orders = self.resting() if shown is None else shown
        return AccountRead(epoch=epoch, balances=held, open_orders=tuple(orders), problem=problem)

    def resting(self) -> list[OrderReport]:
        """Give the orders that the ledger has resting at the venue."""
        return [
            self.report(number, entry.state, str(entry.filled_quantity))
            for number in range(10)
            if (entry := self.orders().get(key_of(number))) is not None
            and entry.state in (S.ACCEPTED, S.PARTIALLY_FILLED)
        ]

    def says_twice(self, **balances: str) -> "Account":
        self.says("", None, **balances).after(3)
        return self.says("", None, **balances)

    def next(self) -> "Account":
        self.after(61)
        return self

    def bought(self, number: int, name: str) -> "Account":
        """Buy one at a hundred, told of at once."""
        self.tell(self.intent(number))
        self.tell(self.submitted(number, S.ACCEPTED))
        self.tell(self.report(number, S.FILLED, "1", (fill(name),)))
        return self

    @property
    def state(self) -> str:
        return str(self.view.latest["state"])


def stream(phase: str, reason: str = "") -> VenueStream:
    """Give the stream's word of its phase."""
    return VenueStream(phase=phase, reason=reason, attempt=0, retry_in_ms=0, ts_ns=TimestampNs(1))


def started(folder: Path) -> Account:
    """Give an executor whose account was read twice: the baseline is there."""
    one = Account(folder)
    one.start()
    one.says_twice()
    assert one.state == "same"
    return one
