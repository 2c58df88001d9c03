"""Every error of the system, named by what we know.

::

    WatchkeeperError
    |- ConfigError            fix the file; the process exits 2
    |- DataError              fix the market data; the process exits 2
    |  '- DataChanged         a file was written over or replaced; no restart mends it
    |- NotFound               a run does not hold what was asked for; exits 2
    |- RunDirBusy             another living process owns the run directory; exits 2
    |- LeaseError             the account may not be traded by this process; exits 2
    |  |- LeaseHeld           another process has its lease; the text names it
    |  '- LeaseUnavailable    the lease cannot be read or written; nothing is known
    |     '- LeaseAway        for its database is away: an Away
    |- VenueError             named by what we know of the order
    |  |- VenueRefused        the venue may not be traded as it is set up; exits 2
    |  |  '- VenueAway        it, or the way there, is away: an Away
    |  |     '- BusAway       the market's bus is
    |  |- NotSent             surely not at the venue; may be sent again under the same id
    |  |- Rejected            the venue refused it; final
    |  |- OutcomeUnknown      may or may not exist; ask by client order id, never send again
    |  '- VenueFailed         the venue itself is out of order: the same, and nothing more is sent
    |- LedgerError            halt trading
    |  |- LedgerConflict      the same key with another intent
    |  |- LedgerUnavailable   the disk or the database refused; nothing was promised
    |  |  |- LedgerTooNew     a newer version wrote it; it is untouched
    |  |  |- LedgerLost       its server is away; what was under way is not known
    |  |  |  '- LedgerAway    and nothing of its configuration is known to be wrong: an Away
    |  |  '- LedgerFenced     another process has taken the ledger over; this one is done
    |  '- IllegalTransition   an order was asked to take a step the table does not hold
    |- Away                   something beside us is away; nothing is to be mended here
    |- BadDecision            a strategy gave what is no decision; nothing was sent of that event
    |- CodecError             unknown tag, unknown field, wrong type
    '- ActorError
       |- ActorCrashed        a handler failed; the cause says how
       |- ActorUnavailable    the message was not and will not be handled
       |- AskTimeout          no answer in time; it may still be handled
       '- WouldDeadlock       the ask would wait for itself; the path says through whom
"""


class WatchkeeperError(Exception):
    """The base of all errors that this project raises on purpose."""


class Away(WatchkeeperError):
    """What was asked for is away now, and nobody need mend anything here: the same may pass later.

    Only what is classified so is one: a mistake of a person that was waited for would hide itself.
    """

    what = "a service"
    """Who is away, as a person is told."""


class ConfigError(WatchkeeperError):
    """The configuration cannot be used. `problems` holds one sentence per mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class DataError(WatchkeeperError):
    """A market-data file cannot be used at all; nothing was traded on it."""


class DataChanged(DataError):
    """A market-data file is not the one that was begun with: a place in it means another row."""


class NotFound(WatchkeeperError):
    """A run does not hold what was asked for, or holds several of it; the text says which."""


class RunDirBusy(WatchkeeperError):
    """A living process holds the run directory; the text names its pid."""


class LeaseError(WatchkeeperError):
    """The account may not be traded by this process."""


class LeaseHeld(LeaseError):
    """Another process has the lease of the account; the text names it and says what to do."""


class LeaseUnavailable(LeaseError):
    """The lease cannot be read or written: it is not known who may trade, so nobody new may."""


class LeaseAway(LeaseUnavailable, Away):
    """The database that the lease stands in is away."""

    what = "the database"


class VenueError(WatchkeeperError):
    """A venue call failed; the subclass says what that proves about the order.

    `code` is the venue's own; `retry_after_ms` is a span, `ask_again_ns` a moment on the
    venue's clock before which asking again proves nothing. None means that it was not told.
    """

    def __init__(
        self,
        text: str = "",
        *,
        http_status: int | None = None,
        code: str | None = None,
        retry_after_ms: int | None = None,
        ask_again_ns: int | None = None,
    ) -> None:
        super().__init__(text)
        self.http_status = http_status
        self.code = code
        self.retry_after_ms = retry_after_ms
        self.ask_again_ns = ask_again_ns


class VenueRefused(VenueError):
    """The venue may not be traded as it is set up; the one sentence says what to do."""


class VenueAway(VenueRefused, Away):
    """The exchange cannot be reached now, is in maintenance, or asks for patience."""

    what = "the exchange"


class BusAway(VenueAway):
    """The server that a market comes over cannot be reached now."""

    what = "the NATS server"


class NotSent(VenueError):
    """The order surely did not reach the venue and may be sent again under the same id."""


class Rejected(VenueError):
    """The venue refused the order for a known reason; final."""


class OutcomeUnknown(VenueError):
    """The order may or may not exist; ask by client order id until there is evidence."""


class VenueFailed(VenueError):
    """The venue itself is out of order, such as a played one that cannot keep its book.

    Of what was under way nothing is known. Nothing more is sent in this process: what came after
    would be there without what came before it.
    """


class LedgerError(WatchkeeperError):
    """The ledger cannot promise anything now: trading halts."""


class LedgerConflict(LedgerError):
    """A key is in the ledger with another intent; the decider is not deterministic."""


class LedgerUnavailable(LedgerError):
    """A commit failed (disk full, file gone); the change was not promised, and may yet turn up."""


class LedgerTooNew(LedgerUnavailable):
    """A newer version of watchkeeper wrote it; it is untouched, and no restart mends that."""


class LedgerLost(LedgerUnavailable):
    """Its server does not answer or takes no writes now, or somebody keeps its file locked.

    It may come back. What was under way may have been carried out. Nothing of it may be sent: who
    opens the ledger again looks the keys up.
    """


class LedgerAway(LedgerLost, Away):
    """Its server cannot be reached, starts or ends just now, or has no room for one more."""

    what = "the database"


class LedgerFenced(LedgerUnavailable):
    """Another process has taken the ledger over: nothing was written, and nothing will be."""


class IllegalTransition(LedgerError):
    """A step that `messages.order_states` does not hold was asked for; nothing changed."""


class BadDecision(WatchkeeperError):
    """What a strategy gave cannot be traded; no order comes of the event, no position moves."""

    handler = ""
    """The method that gave it."""


class CodecError(WatchkeeperError):
    """Bytes are not a message of the catalogue."""


class ActorError(WatchkeeperError):
    """The base of what can go wrong between actors."""


class ActorCrashed(ActorError):
    """The handler failed; `__cause__` is the original, which may be a BaseException."""


class ActorUnavailable(ActorError):
    """The peer is stopped, halted or full: this message was not and will not be handled."""


class StillWriting(ActorUnavailable):
    """Who was replaced hangs in a commit: nobody can take over before that has returned."""


class AskTimeout(ActorError, TimeoutError):
    """No answer within the limit; the message may still be handled later."""


class WouldDeadlock(ActorError):
    """The ask closes a ring of waiting actors; nothing was sent."""


def said_by(error: BaseException) -> str:
    """Give what an error says; a person's own may fail at that too, and is one all the same."""
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 - whatever its own code raises
        return f"(it cannot be told: {type(failure).__name__})"
