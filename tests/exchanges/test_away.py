"""Which failed questions say that an exchange is only away, and which a person has to mend."""

from typing import Any

import pytest

from exchanges.away import is_away
from exchanges.outcomes import Evidence


def seen(error: str, status: int | None = None, **more: Any) -> Evidence:
    return Evidence(error=error, http_status=status, **more)


@pytest.mark.parametrize(
    "evidence",
    [
        seen("ExchangeNotAvailable", causes=("ClientConnectorError", "ConnectionRefusedError")),
        seen("ExchangeNotAvailable", causes=("ClientConnectorDNSError", "gaierror")),
        seen("ExchangeNotAvailable", causes=("ServerDisconnectedError",)),
        seen("NetworkError", causes=("ConnectionResetError",)),
        seen("RequestTimeout", causes=("TimeoutError",)),
        seen("ExchangeNotAvailable", 500, code="-1001"),
        seen("ExchangeNotAvailable", 503),
        seen("ExchangeNotAvailable", 522),
        seen("RequestTimeout", 504),
        seen("RequestTimeout", 408, code="-1007"),
        seen("RateLimitExceeded", 429, code="-1003"),
        seen("DDoSProtection", 418, code="-1003"),
        seen("OnMaintenance", 503, code="-1000"),
        seen("OnMaintenance", 200),
    ],
)
def test_it_is_only_away(evidence: Evidence) -> None:
    assert is_away(evidence)


@pytest.mark.parametrize(
    "evidence",
    [
        seen("AuthenticationError", 401, code="-2015"),
        seen("PermissionDenied", 403),
        seen("ExchangeNotAvailable", 404),
        seen("ExchangeNotAvailable", 451),
        seen("ExchangeNotAvailable", 501),
        seen("AuthenticationError", 511),
        seen("InvalidNonce", 400, code="-1021"),
        seen("Unclear", 200),
        seen("ExchangeNotAvailable", causes=("ClientConnectorCertificateError",)),
        seen("ExchangeNotAvailable", causes=("ClientConnectorSSLError", "SSLError")),
        seen("InvalidProxySettings"),
        seen("NotSupported"),
        seen("AuthenticationError"),
        seen("NotSent"),
        seen("KeyError"),
        seen("SomethingThatCcxtAddsLater"),
    ],
)
def test_what_a_person_has_to_mend_or_nobody_knows_is_not_waited_for(evidence: Evidence) -> None:
    assert not is_away(evidence)
