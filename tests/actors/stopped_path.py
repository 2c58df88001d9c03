"""An executor with stops, on the order path by hand."""

from decimal import Decimal

from messages.ids import NS_PER_S, OrderKey, TimestampNs
from messages.orders import OrderReport, SubmitDone
from messages.stops import Stop
from messages.values import OrderState as S
from messages.values import Protection
from persistence.ledger import LedgerEntry, SqliteLedger
from tests.actors.order_path import BTC, OrderPath, fill, key_of

AGE_NS = 10 * NS_PER_S
AT_95 = Protection(stop_loss=Decimal(95), take_profit=Decimal(120))


class Stopped(OrderPath):
    """An executor on a live market, in a few words."""

    def enter(self, number: int = 0, filled: str = "1", state: S = S.FILLED) -> "Stopped":
        self.tell(self.intent(number, protection=AT_95))
        if filled != "0" or state is not S.SENT:
            self.fills(number, filled, state)
        return self

    def fills(self, number: int, filled: str, state: S = S.PARTIALLY_FILLED) -> None:
        some = (fill(f"t{number}-{filled}", filled),) if Decimal(filled) else ()
        self.tell(self.report(number, state, filled, some))

    def answers(self, state: S, filled: str = "0", reason: str = "") -> "Stopped":
        """To the send that was the last."""
        epoch, key, order = self.gateway.sent[-1]
        some = (fill(f"{key}-{filled}", filled, "94"),) if Decimal(filled) else ()
        report = OrderReport(
            client_order_id=order.client_order_id,
            symbol=BTC,
            state=state,
            venue_order_id=None,
            filled_quantity=Decimal(filled),
            average_price=Decimal(94) if some else None,
            fills=some,
            reason=reason,
            evidence="test",
            ts_event_ns=TimestampNs(0),
        )
        self.tell(SubmitDone(order_key=key, epoch=epoch, report=report))
        return self

    @property
    def exits(self) -> list[LedgerEntry]:
        known = [key_of(number) for number in range(10)]
        return [order for key, order in self.orders().items() if key not in known]

    @property
    def stop_of(self) -> dict[OrderKey, Stop]:
        ledger = SqliteLedger(self.path)
        found = {stop.entry_key: stop for stop in ledger.stops(done_too=True)}
        ledger.close()
        return found

    @property
    def only_stop(self) -> Stop:
        (stop,) = self.stop_of.values()
        return stop
