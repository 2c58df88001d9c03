"""Every message there is, in one tagged union; a test holds it against the modules."""

from messages.account import AcceptAccount, AccountRead
from messages.alerts import AlertTold
from messages.bus import BusFrame, BusNews, BusPulse
from messages.halting import (
    CancelDone,
    CancelOrder,
    EndStop,
    OpenListed,
    ResolveOrder,
    ResumeTrading,
)
from messages.lifecycle import (
    ChildInfo,
    DeleteChild,
    Exit,
    GatherNow,
    HaltTrading,
    InjectCrash,
    InjectHang,
    Inspect,
    Ping,
    RestartChild,
    RetryStart,
    StartChild,
    Supervise,
    Supervision,
    TerminateChild,
    TimerFired,
    WhichChildren,
)
from messages.market import (
    Candle,
    FeedEnded,
    FeedGap,
    FeedHistory,
    FeedNews,
    FeedReport,
    FeedState,
    MarketAck,
    MarketBatch,
    Tick,
    Trade,
)
from messages.orders import (
    CancelAgain,
    CancelIntent,
    DuplicateFiltered,
    LookupDone,
    MarketReports,
    MarketRules,
    OrderIntent,
    OrderReport,
    OrderUpdate,
    PriceMark,
    SendAgain,
    SubmitDone,
    VenueNotice,
    VenueStream,
)
from messages.recorded import IntentsJudged, RunBegun, StrategyEnded, StrategyStands
from messages.stops import MarketShown, StopActed

MarketMessage = (
    Tick
    | Trade
    | Candle
    | MarketBatch
    | MarketAck
    | FeedReport
    | FeedGap
    | FeedEnded
    | FeedState
    | FeedHistory
    | FeedNews
)
OrderMessage = (
    OrderIntent
    | CancelIntent
    | CancelAgain
    | OrderReport
    | SubmitDone
    | SendAgain
    | VenueStream
    | VenueNotice
    | MarketRules
    | AccountRead
    | AcceptAccount
    | LookupDone
    | MarketReports
    | OrderUpdate
    | DuplicateFiltered
    | PriceMark
    | StopActed
    | MarketShown
)
LifecycleMessage = (
    Exit
    | TimerFired
    | GatherNow
    | Supervision
    | HaltTrading
    | InjectCrash
    | InjectHang
    | Inspect
    | Ping
    | Supervise
    | RetryStart
    | StartChild
    | RestartChild
    | TerminateChild
    | DeleteChild
    | WhichChildren
    | ChildInfo
    | AlertTold
)
HaltMessage = ResumeTrading | CancelOrder | ResolveOrder | EndStop | CancelDone | OpenListed
RecordedMessage = RunBegun | StrategyStands | StrategyEnded | IntentsJudged
BusMessage = BusFrame | BusPulse | BusNews
AnyMessage = (
    MarketMessage | OrderMessage | LifecycleMessage | HaltMessage | RecordedMessage | BusMessage
)
