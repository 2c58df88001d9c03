"""What came back of one request that went out."""

from typing import Any

from exchanges.outcomes import Evidence, Knowledge

UNKNOWN, REJECTED, NOT_SENT = Knowledge.UNKNOWN, Knowledge.REJECTED, Knowledge.NOT_SENT
DUPLICATE = 'binance {"code":-2010,"msg":"Duplicate order sent."}'


def seen(error: str, status: int | None = None, code: str | None = None, **more: Any) -> Evidence:
    """One request went out; this came back."""
    return Evidence(error=error, http_status=status, code=code, **({"requests": 1} | more))
