"""What the executor is told of the venue itself: its stream, its rules, its account, what lasts."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from actors.account_desk import ACCOUNT, COMPARE, AccountDesk, AccountSettings, AccountView
from actors.address import Address
from actors.context import Context
from actors.gateway import Gateway
from actors.log import logger
from actors.order_desk import OrderDesk
from actors.venue_notices import VenueNotices, stream_text
from decisions.risk_state import RiskState
from messages.account import AcceptAccount, AccountRead
from messages.ids import Symbol
from messages.lifecycle import HaltTrading
from messages.orders import MarketRules, OrderUpdate, VenueNotice, VenueStream
from messages.values import Instrument
from persistence.ledger import Ledger

StrategyAddress = Address[OrderUpdate | MarketRules]


class VenueDesk:
    """One incarnation's, on its thread. `instruments` are the rules that risk judges by.

    `compared` is None where there is no account to compare. `show` is called when health should
    say something else, and `halt` when the account is a reason to halt.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        gateway: Gateway,
        desk: OrderDesk,
        risk: RiskState,
        instruments: dict[Symbol, Instrument],
        strategies: Iterable[StrategyAddress],
        compared: tuple[AccountSettings, AccountView] | None,
        show: Callable[[], None],
        halt: Callable[[HaltTrading], None],
        on_accepted: Sequence[Callable[[], object]],
    ) -> None:
        self._ctx, self._desk = ctx, desk
        self._instruments, self._strategies = instruments, strategies
        self._show, self._halt, self._on_accepted = show, halt, on_accepted
        self._notices = VenueNotices()
        self._has_halted = False
        """Whether the account was a reason to halt: that lasts, whatever else halts by then."""
        self._account: AccountDesk | None = None
        if compared is not None:
            settings, view = compared
            self._account = AccountDesk(
                ctx=ctx,
                ledger=ledger,
                gateway=gateway,
                risk=risk,
                settings=settings,
                view=view,
                keep=desk.keep,
                show=lambda text: self.receive(VenueNotice(name=ACCOUNT, text=text)),
                halt=self._halt_for_account,
                known=lambda: "; ".join(filter(None, (desk.doubled.known(), desk.late.known()))),
            )

    def text(self, otherwise: str) -> str:
        """Say what is wrong with the venue; `otherwise` where nothing is."""
        return self._notices.text(otherwise)

    def matters(self) -> dict[str, str]:
        """Give what of the venue and of the account lasts, by kind."""
        lasting = self._notices.lasting()
        if not lasting:
            return {}
        return {name if name == ACCOUNT else f"venue {name}": lasting[name] for name in lasting}

    def receive(self, news: Any) -> bool:
        """Take in what is new; False when it is not about the venue."""
        match news:
            case VenueNotice():
                self._notices.notice(news)
            case VenueStream():
                self._stream(news)
            case MarketRules():
                self._take_rules(news)
            case AccountRead() | AcceptAccount():
                self._account_says(news)
                return True
            case _ if news == COMPARE:
                if self._account is not None:
                    self._account.due()
                return True
            case _:
                return False
        self._show()
        return True

    def _stream(self, news: VenueStream) -> None:
        self._notices.stream(news)
        log = logger.bind(actor=self._ctx.path)
        # The first connection of a start has no reason: nothing was lost.
        tell = log.info if news.phase == "live" or not news.reason else log.warning
        tell("{}", stream_text(news))
        if self._account is None:
            return
        if news.phase != "live":
            self._account.away(stream_text(news))
            return
        self._account.away("")
        self._account.ask()

    def _account_says(self, news: AccountRead | AcceptAccount) -> None:
        if self._account is None:
            return
        if isinstance(news, AccountRead):
            self._account.read(news)
        else:
            self._account.accept(news)
            for accepted in self._on_accepted:
                accepted()
            self._show()

    def _halt_for_account(self, difference: str) -> None:
        if not self._has_halted:
            self._has_halted = True
            self._halt(HaltTrading(reason=difference, durable=False))

    def _take_rules(self, rules: MarketRules) -> None:
        """Judge by these from now on; strategies are made anew with a grid that changed."""
        told = rules.instrument
        before = self._instruments.get(told.symbol)
        self._instruments[told.symbol] = told
        if before not in (None, told):
            logger.bind(actor=self._ctx.path).warning("new rules of the market: {}", told)
            for strategy in self._strategies:
                self._ctx.tell(strategy, rules)
