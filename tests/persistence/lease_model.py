"""A lease to try things with, and a place for leases that is as plain as can be."""

from typing import Any

import msgspec

from messages.lease import Holder, Lease

ACCOUNT = "binance-1"


def lease(token: int = 1, **changes: Any) -> Lease:
    holder = Holder(host="vps", pid=7, started=8, space="boot pid", run_dir="/runs/a")
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "token": token,
        "renewals": 0,
        "holder": holder,
        "clock": "boot time",
        "expires_ns": 2**62,
        "term_ns": 12_000_000_000,
    }
    return Lease(**fields | changes)


class ListedLeases:
    """The same in memory, as plain as can be: what the contract means."""

    def __init__(self, shelf: dict[str, Lease], account: str = ACCOUNT) -> None:
        self._shelf, self._account = shelf, account

    def read(self) -> Lease | None:
        return self._shelf.get(self._account)

    def take(self, lease: Lease, instead_of: Lease | None) -> bool:
        if self.read() != instead_of:
            return False
        self._shelf[self._account] = lease
        return True

    def renew(self, token: int, expires_ns: int) -> bool:
        return self._change(token, expires_ns=expires_ns, renewed=1)

    def give_back(self, token: int) -> bool:
        return self._change(token, returned=True)

    def is_in_place(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def _change(self, token: int, renewed: int = 0, **fields: Any) -> bool:
        found = self.read()
        if found is None or found.token != token or found.returned:
            return False
        fields["renewals"] = found.renewals + renewed
        self._shelf[self._account] = msgspec.structs.replace(found, **fields)
        return True
