"""What an execution has cost, of ccxt's words for it: more than nothing is a charge, less a rebate.

ccxt turns an exchange's sign round where that writes a charge as less than nothing: not everywhere
where it should, and of one exchange also where it should not. A trade id counts once, so a sign
that was read wrongly would stay.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from exchanges.ccxt_numbers import name_in, number
from messages.exact import NOTHING

Raw = Mapping[str, Any]


def fee_of(trade: Raw) -> tuple[Decimal, str]:
    """Give the fee of an execution and its currency; one that is not told is 0 of no currency.

    Raises:
        Unclear: it is not a number, or the currency's name nothing that a ledger can hold.
    """
    fee = _only_one(trade)
    own = _own_charge(trade.get("info"))
    cost = number(fee.get("cost")) if own is None else own
    return cost or NOTHING, name_in(fee, "currency")


def _own_charge(told: Any) -> Decimal | None:
    """Read the exchange's own number, where ccxt's sign of it cannot be trusted."""
    if not isinstance(told, Mapping):
        return None
    if told.get("fillFee"):  # OKX's stream, whose charges ccxt leaves below nothing
        charge = number(told["fillFee"])
        return None if charge is None else charge.copy_negate()
    details = told.get("feeDetail")
    if told.get("execId") and isinstance(details, list) and details:
        return number(details[0].get("fee"))  # Bitget's unified account, which writes it plainly
    return None


def _only_one(trade: Raw) -> Raw:
    """Give the one fee of a trade; where several are told, the first that is not nothing.

    Gate tells that of the currency bought, 0, and that of the tokens it was paid in.
    """
    fee: Raw = trade.get("fee") or {}
    if fee.get("cost") is not None:
        return fee
    return next((one for one in trade.get("fees") or () if number(one.get("cost"))), fee)
