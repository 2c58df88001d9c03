"""The lease of a ledger's account, in the ledger itself: seen by every host that has the address.

How long it lasts is told by the database's clock alone: a holder says for how long, never until
when, and who looks is told what is left, which is put on the looker's own clock. So no two hosts'
clocks are ever compared.
"""

from collections.abc import Callable
from typing import Any

from messages.errors import Away, LeaseAway, LeaseUnavailable, LedgerError
from messages.lease import Holder, Lease
from persistence.ledger_place import LedgerPlace
from persistence.postgres.migrate import is_there, pending, upgrade
from persistence.postgres.session import Session

_TERM = "$1::bigint * interval '1 microsecond' / 1000"
_READ = (
    "SELECT account, token, renewals, host, pid, started, space, run_dir, term_ns, returned,"
    " (extract(epoch FROM expires_at - clock_timestamp()) * 1000000000)::bigint FROM lease"
)
_TAKE = (
    f"UPDATE lease SET expires_at = clock_timestamp() + {_TERM}, term_ns = $1::bigint,"  # noqa: S608 - constant words
    " account = $2, token = $3, writer = writer + 1, renewals = $4, host = $5, pid = $6,"
    " started = $7, space = $8, run_dir = $9, returned = $10"
    " WHERE (token, renewals, returned) = ($11, $12, $13)"
)
_RENEW = (
    "UPDATE lease SET renewals = renewals + 1, expires_at = clock_timestamp()"
    " + term_ns * interval '1 microsecond' / 1000 WHERE token = $1 AND NOT returned"
)
_GIVE_BACK = "UPDATE lease SET returned = true WHERE token = $1 AND NOT returned"


class PostgresLeases:
    """See `persistence.lease.LeaseStore`. `boot_ns` and `clock` are this machine's.

    `makes`: whether a ledger that is not there yet is made; None: nothing is, nor upgraded. One
    of an earlier version is upgraded by who takes it, and not by who waits for it: another
    process still writes it.

    Raises:
        LeaseUnavailable: the database cannot be used; the text says why.
    """

    def __init__(
        self,
        place: LedgerPlace,
        boot_ns: Callable[[], int],
        clock: str,
        *,
        makes: bool | None = True,
    ) -> None:
        self._place, self._boot_ns, self._clock, self._makes = place, boot_ns, clock, makes
        try:
            self._session = Session(place, f"lease {place.schema}", writes=True)
            try:
                self._is_there = is_there(self._session)
                if makes is not None and not self._is_there:
                    upgrade(self._session, makes=makes)
                    self._is_there = True
                pending(self._session)  # one of a newer version is nobody's here
            except BaseException:
                self._session.close()
                raise
        except LedgerError as error:
            raise _unusable(error) from error

    def read(self) -> Lease | None:
        """See `LeaseStore.read`. What is left is taken from a moment before it was asked for."""
        if not self._is_there:
            return None
        asked_ns = self._boot_ns()
        (row,) = self._say(_READ)
        *_, returned, left_ns = row
        account, token, renewals, host, pid, started, space, run_dir, term_ns = row[:9]
        if not token:
            return None
        return Lease(
            account=account,
            token=token,
            renewals=renewals,
            holder=Holder(host=host, pid=pid, started=started, space=space, run_dir=run_dir),
            clock=self._clock,
            expires_ns=self._boot_ns() + left_ns if left_ns > 0 else asked_ns,
            term_ns=term_ns,
            returned=returned,
        )

    def take(self, lease: Lease, instead_of: Lease | None) -> bool:
        """See `LeaseStore.take`. Waits for what the one before is writing; that counts."""
        self._upgrade()
        before = (
            (0, 0, True)
            if instead_of is None
            else (instead_of.token, instead_of.renewals, instead_of.returned)
        )
        who = lease.holder
        values = (
            lease.term_ns, lease.account, lease.token, lease.renewals, who.host, who.pid,
            who.started, who.space, who.run_dir, lease.returned, *before,
        )  # fmt: skip
        return self._change(_TAKE, values)

    def renew(self, token: int, expires_ns: int) -> bool:
        """See `LeaseStore.renew`. For its whole term from now on, by the database's clock."""
        del expires_ns
        return self._change(_RENEW, (token,))

    def give_back(self, token: int) -> bool:
        """See `LeaseStore.give_back`."""
        return self._change(_GIVE_BACK, (token,))

    def is_in_place(self) -> bool:
        """See `LeaseStore.is_in_place`. Nobody deletes a ledger's lease from under its writer."""
        return True

    def close(self) -> None:
        """See `LeaseStore.close`."""
        self._session.close()

    def _upgrade(self) -> None:
        if self._makes is None:
            return
        try:
            upgrade(self._session, makes=self._makes)
        except LedgerError as error:
            raise _unusable(error) from error

    def _change(self, text: str, values: tuple[Any, ...]) -> bool:
        try:
            return self._session.change(text, values) == 1
        except LedgerError as error:
            raise _unusable(error) from error

    def _say(self, text: str) -> list[Any]:
        try:
            return self._session.say(text)
        except LedgerError as error:
            raise _unusable(error) from error


def _unusable(error: LedgerError) -> LeaseUnavailable:
    return (LeaseAway if isinstance(error, Away) else LeaseUnavailable)(str(error))
