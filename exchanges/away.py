"""Which failed questions say that an exchange is only away. Pure: it judges by names.

An allow-list, as `exchanges.outcomes` is: whoever waits for what is on it waits for nothing that a
person has to mend. What is on neither list is told at once.
"""

from exchanges.outcomes import Evidence

MAINTENANCE = "OnMaintenance"
NETWORK_ERRORS = frozenset({"ExchangeNotAvailable", "NetworkError", "RequestTimeout"})
"""Without any answer: nobody listens, no name is found, nothing comes back."""
NOT_THE_NETWORK = frozenset(
    {
        "ClientConnectorCertificateError",
        "ClientConnectorSSLError",
        "InvalidURL",
        "SSLCertVerificationError",
    }
)
"""Somewhere below such an error: who is there is not trusted, or the address is none."""
_PATIENCE_STATUSES = frozenset({408, 418, 429})
_NEVER_STATUSES = frozenset({501, 505, 511})
"""Not implemented, not this version, log in to the network first: asking again changes nothing."""


def is_away(evidence: Evidence) -> bool:
    """Whether the same question may be answered later, although nobody mends anything here."""
    if evidence.error == MAINTENANCE:
        return True
    if evidence.http_status is not None:
        return is_passing(evidence.http_status)
    return evidence.error in NETWORK_ERRORS and NOT_THE_NETWORK.isdisjoint(evidence.causes)


def is_passing(status: int | None) -> bool:
    """Whether an HTTP status is of a server in trouble, or of one that wants to be asked later."""
    if status is None or status in _NEVER_STATUSES:
        return False
    return status in _PATIENCE_STATUSES or 500 <= status < 600
