"""What each exchange can do for order safety, as data. A row that is wrong loses money: be shy.

Where a fact is not known, the row says the worse one. `tested` means that this adapter has been
run against a server that behaves like the exchange; the other rows were read, not run.
"""

from enum import StrEnum
from string import ascii_letters, ascii_lowercase, digits

import msgspec

from messages.errors import VenueRefused
from messages.ids import NS_PER_MS


class Lookup(StrEnum):
    """How an order is found by our own id."""

    CLIENT_ID = "client_id"
    """One question names the order."""
    SCAN = "scan"
    """Open and closed orders carry our id and are searched. Not found is never proof: pages end."""
    NONE = "none"
    """There is no way: an unknown outcome could never be settled."""


class IdScope(StrEnum):
    """Among which orders the exchange refuses an id that it has seen."""

    OPEN_ORDERS = "open_orders"
    """The id of a filled order can be used again, so a resend could fill twice."""
    UNPROVEN = "unproven"
    """Not known; taken as none at all."""


class Stream(StrEnum):
    """A live stream that ccxt.pro has for the exchange."""

    ORDERS = "orders"
    MY_TRADES = "my_trades"
    TRADES = "trades"
    OHLCV = "ohlcv"


class Paging(msgspec.Struct, frozen=True):
    """How executions after a page of the newest are asked for: those that are older."""

    parameter: str
    field: str = ""
    """What of the page's oldest execution it is; empty: how many have been given so far."""
    pages_max: int = 10
    """So many are asked for at once, of one order or of a symbol since the order was placed."""


class Withdrawal(msgspec.Struct, frozen=True):
    """Where an exchange tells whether a key may withdraw."""

    method: str
    """ccxt's, without arguments."""
    address: str
    """Which of ccxt's addresses it asks at: it is asked where orders are sent, or nowhere."""
    field: tuple[str | int, ...]
    """Where it stands in the answer."""
    word: str = ""
    """It is among these, between commas; empty: the field is true or false."""


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange, spot only, by its ccxt id."""

    exchange: str
    lookup: Lookup
    lookup_parameter: str = "clientOrderId"
    """What ccxt's `fetch_order` and `cancel_order` take our id as."""
    id_alphabet: str = digits + ascii_letters + "-_"
    id_length_max: int = 36
    id_prefix: str = "wk"
    """The prefix of this system's ids; any other order is foreign."""
    id_scope: IdScope = IdScope.UNPROVEN
    wants_password: bool = False
    """Whether a key has a third secret, which some call its passphrase."""
    post_only: bool = True
    streams: frozenset[Stream] = frozenset(Stream)
    recv_window_parameter: str | None = None
    """What bounds how late a request may arrive and still be taken; None: nothing does."""
    checks_orders_at: str = ""
    """How the path ends at which an order is checked and not placed, asked for by ccxt's `test`;
    empty: there is none, or none that this adapter was run against."""
    withdrawal: Withdrawal | None = None
    """None: it tells nothing of it, or this adapter was not run against the answer."""
    settle_ms: int
    """How long after the receive window an order may still come into sight."""
    finds_ended_for_ms: int | None = None
    """For how long after its end an order is found by our id; None: nobody says that this ends."""
    forgets_open_orders: bool = False
    """Whether an open order may be one that our id, and so a cancel by it, reaches no more."""
    cancels_by_path: bool = False
    """Whether ccxt's `cancel_order` takes our id where it takes the exchange's."""
    buys_at_market: bool = True
    """Whether a market order can say how much it buys; through ccxt some take what it costs."""
    page_length: int = 20
    """How many orders one list surely holds; a full page may hide more."""
    trades_oldest_first: bool = False
    """Whether a full page of executions is followed by the next later ones; if not, by none."""
    trades_by_symbol: bool = True
    """Whether a page of executions is of one symbol only, as it was asked for."""
    trades_reach_ms: int | None = None
    """How far back one question for executions reaches; None: as far as it is asked."""
    fills_at_once: int | None = None
    """How many executions of an order are asked for at once; None: ccxt asks for no number."""
    fills_paged: Paging | None = None
    """How the rest of them is asked for; None: it is not."""
    tested: bool = False
    notes: str = ""
    source: str

    def allows_id(self, client_order_id: str) -> bool:
        """Whether the exchange would take the id, so that it can be found by it."""
        return 0 < len(client_order_id) <= self.id_length_max and not (
            set(client_order_id) - set(self.id_alphabet)
        )

    def is_ours(self, client_order_id: str) -> bool:
        """Whether the id looks like one of this system's."""
        return client_order_id.startswith(self.id_prefix) and self.allows_id(client_order_id)

    @property
    def proves_absence(self) -> bool:
        """Whether the exchange can ever be said not to have an order."""
        return self.lookup is Lookup.CLIENT_ID

    def visible_after_ns(self, sent_at_ns: int, recv_window_ms: int) -> int:
        """Give the moment from which "no such order" is proof, on the clock of `sent_at_ns`."""
        window_ms = recv_window_ms if self.recv_window_parameter is not None else 0
        return sent_at_ns + (window_ms + self.settle_ms) * NS_PER_MS


ENGINE_TIMEOUT_MS = 10_000
"""Binance's matching engine gives up on a request after this long."""
READ_LAG_MS = 2_000
"""How far the database behind a query may be behind the engine; observed, not promised."""
BOUNDED_SETTLE_MS = ENGINE_TIMEOUT_MS + READ_LAG_MS
UNBOUNDED_SETTLE_MS = 600_000
"""Where nothing bounds a late request: by then every connection on its way has died. Assumed."""

_SOURCE = "ccxt 4.5.90"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_NO_OHLCV = frozenset({Stream.ORDERS, Stream.MY_TRADES, Stream.TRADES})
_NO_FEES = frozenset({Stream.ORDERS, Stream.TRADES, Stream.OHLCV})
_NO_PROOF = "a search that finds nothing is never proof"
_BY_COST = "market orders to buy are rejected, for ccxt takes what they cost"
_FORGETS = "after {} a search that finds nothing is no proof any more"
_LATE = "nothing bounds a late request through ccxt, so absence takes ten minutes to prove"

_ROWS = (
    Capability(
        exchange="binance",
        lookup=Lookup.CLIENT_ID,
        lookup_parameter="origClientOrderId",
        id_scope=IdScope.OPEN_ORDERS,
        recv_window_parameter="recvWindow",
        checks_orders_at="/order/test",
        withdrawal=Withdrawal("sapiGetAccountApiRestrictions", "sapi", ("enableWithdrawals",)),
        settle_ms=BOUNDED_SETTLE_MS,
        page_length=500,
        trades_oldest_first=True,
        fills_at_once=1_000,
        tested=True,
        notes="a market order sent again under its id fills again",
        source="binance-spot-api-docs a5e0bc3, ccxt 4.5.90",
    ),
    Capability(
        exchange="binanceus",
        lookup=Lookup.CLIENT_ID,
        lookup_parameter="origClientOrderId",
        id_scope=IdScope.OPEN_ORDERS,
        recv_window_parameter="recvWindow",
        settle_ms=BOUNDED_SETTLE_MS,
        page_length=500,
        trades_oldest_first=True,
        fills_at_once=1_000,
        notes="taken to be as binance, whose code ccxt shares",
        source=_SOURCE,
    ),
    Capability(
        exchange="bitget",
        lookup=Lookup.CLIENT_ID,
        wants_password=True,
        id_length_max=32,
        finds_ended_for_ms=DAY_MS,
        buys_at_market=False,
        trades_reach_ms=90 * DAY_MS,
        fills_at_once=100,
        fills_paged=Paging("idLessThan", "tradeId"),
        settle_ms=UNBOUNDED_SETTLE_MS,
        notes=f"{_BY_COST}; {_LATE}; nobody says for how long an ended order is found, so"
        f" {_FORGETS.format('a day')}",
        source=_SOURCE,
    ),
    Capability(
        exchange="bitstamp",
        lookup=Lookup.CLIENT_ID,
        settle_ms=UNBOUNDED_SETTLE_MS,
        streams=_NO_OHLCV,
        notes=_LATE + "; it tells no time, so the gate refuses it",
        source=_SOURCE,
    ),
    Capability(
        exchange="bybit",
        lookup=Lookup.NONE,
        recv_window_parameter="recvWindow",
        settle_ms=BOUNDED_SETTLE_MS,
        notes="ccxt's fetch_order sends no client id",
        source=_SOURCE,
    ),
    Capability(
        exchange="coinbase",
        lookup=Lookup.NONE,
        settle_ms=UNBOUNDED_SETTLE_MS,
        streams=frozenset({Stream.ORDERS, Stream.TRADES}),
        notes="ccxt's fetch_order takes the exchange's id only",
        source=_SOURCE,
    ),
    Capability(
        exchange="gate",
        lookup=Lookup.SCAN,
        id_length_max=28,
        id_prefix="t-wk",
        cancels_by_path=True,
        buys_at_market=False,
        streams=_NO_OHLCV,
        trades_reach_ms=30 * DAY_MS,
        fills_at_once=1_000,
        settle_ms=UNBOUNDED_SETTLE_MS,
        notes="ids begin with t-, and find an order only while it is open, so open and closed"
        f" orders are searched; {_NO_PROOF}; {_BY_COST}",
        source="gate.com's API v4 on the text of an order, ccxt 4.5.90",
    ),
    Capability(
        exchange="htx",
        lookup=Lookup.CLIENT_ID,
        id_length_max=64,
        finds_ended_for_ms=HOUR_MS,
        forgets_open_orders=True,
        buys_at_market=False,
        trades_reach_ms=2 * DAY_MS,
        settle_ms=UNBOUNDED_SETTLE_MS,
        notes=f"an id can be looked up for some hours only, so {_FORGETS.format('one hour')};"
        " eight hours after it was placed no cancel by our id reaches an order, so one that stays"
        f" open is canceled by the exchange's own; {_BY_COST}; its refusals come in an HTTP 200,"
        f" so they are unknown until asked; {_LATE}",
        source="HTX's announcements 104873471163462, 84873840032816 on clientOrderId; ccxt 4.5.90",
    ),
    Capability(
        exchange="kraken",
        lookup=Lookup.SCAN,
        lookup_parameter="clientOrderId",
        id_length_max=18,
        id_scope=IdScope.OPEN_ORDERS,
        trades_by_symbol=False,
        fills_paged=Paging("ofs", pages_max=3),  # each costs as much as six other questions
        settle_ms=UNBOUNDED_SETTLE_MS,
        notes="ccxt's fetch_order sends the id as userref, so open and closed orders are searched;"
        f" {_NO_PROOF}; its refusals come in an HTTP 200, so an order that it refused stays unknown"
        " until a person has looked",
        source="docs.kraken.com on cl_ord_id, ccxt 4.5.90",
    ),
    Capability(
        exchange="kucoin",
        lookup=Lookup.CLIENT_ID,
        wants_password=True,
        id_length_max=40,
        finds_ended_for_ms=DAY_MS,
        streams=_NO_FEES,
        trades_reach_ms=7 * DAY_MS,
        fills_at_once=100,
        fills_paged=Paging("lastId", "id"),
        settle_ms=UNBOUNDED_SETTLE_MS,
        notes="nobody says for how long a canceled order is found, so"
        f" {_FORGETS.format('a day')}; its stream of trades tells no fees, so they are asked for;"
        f" its refusals come in an HTTP 200, so they are unknown until asked; {_LATE}",
        source=_SOURCE,
    ),
    Capability(
        exchange="mexc",
        lookup=Lookup.CLIENT_ID,
        id_length_max=32,
        finds_ended_for_ms=DAY_MS,
        trades_reach_ms=30 * DAY_MS,
        settle_ms=UNBOUNDED_SETTLE_MS,
        notes="an order that was placed a moment ago is often said not to exist, so absence takes"
        f" ten minutes to prove; {_FORGETS.format('a day')}; its streams need protobuf"
        " (pip install protobuf)",
        source="github.com/ccxt/ccxt/issues/21614, ccxt 4.5.90",
    ),
    Capability(
        exchange="okx",
        lookup=Lookup.CLIENT_ID,
        wants_password=True,
        id_alphabet=digits + ascii_letters,
        id_length_max=32,
        finds_ended_for_ms=HOUR_MS,
        trades_reach_ms=90 * DAY_MS,
        fills_at_once=100,
        fills_paged=Paging("after", "billId"),
        withdrawal=Withdrawal(
            "privateGetAccountConfig", "rest", ("data", 0, "perm"), word="withdraw"
        ),
        settle_ms=UNBOUNDED_SETTLE_MS,
        tested=True,
        notes="its refusals come in an HTTP 200, so they are unknown until asked; one that was"
        " canceled with nothing filled is found for two hours, so"
        f" {_FORGETS.format('one hour')}; {_LATE}",
        source=_SOURCE,
    ),
    Capability(
        exchange="phemex",
        lookup=Lookup.CLIENT_ID,
        id_length_max=40,
        id_alphabet=digits + ascii_lowercase + "-_",
        settle_ms=UNBOUNDED_SETTLE_MS,
        notes=_LATE + "; it tells no time, so the gate refuses it",
        source=_SOURCE,
    ),
)

CAPABILITIES = {row.exchange: row for row in _ROWS}

OUR_PREFIXES = tuple(sorted({row.id_prefix for row in _ROWS}))
"""With which of them an id begins that is one of this system's, at whatever exchange."""


def capability_of(exchange: str) -> Capability:
    """Give the row of an exchange that orders may be sent to.

    Raises:
        VenueRefused: there is no row, or no way to find an order by our own id.
    """
    row = CAPABILITIES.get(exchange)
    usable = ", ".join(sorted(r.exchange for r in _ROWS if r.lookup is not Lookup.NONE))
    if row is None:
        raise VenueRefused(
            f"nobody has written down whether {exchange} can find an order by our own id: trade at"
            f" one of {usable}, or add its row to exchanges/capabilities.py"
        )
    if row.lookup is Lookup.NONE:
        raise VenueRefused(
            f"{exchange} cannot find an order by our own id ({row.notes}), so a lost answer could"
            f" never be settled: trade at one of {usable}"
        )
    return row
