"""`orders cancel` and `orders resolve`: one order, at a person's word, in a living process."""

import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from messages.errors import ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE
from messages.values import OrderState
from ops.halt import say
from ops.operator_client import NoAnswer, OperatorClient, Refused
from ops.order_view import find_order
from ops.run_files import LEDGER
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader

ENDS = {
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
    "absent": OrderState.REFUSED,
}
"""What `--as` may say."""


def cancel(run_dir: Path, name: str, *, as_json: bool, timeout_s: float) -> int:
    """Cancel one order, prove it, print how it ended; give the exit code.

    Raises:
        NotFound: no order, or several, bear this name.
        LedgerUnavailable: there is no ledger to read.
    """
    entry = _named(run_dir, name)
    fields = {"order_key": entry.order_key}
    return _ask(run_dir, "cancel_order", fields, as_json=as_json, timeout_s=timeout_s)


def resolve(
    run_dir: Path,
    name: str,
    *,
    end: str,
    evidence: str,
    filled: str | None,
    price: str | None,
    unasked: bool,
    as_json: bool,
    timeout_s: float,
) -> int:
    """Settle one order on a person's evidence; give the exit code.

    Raises:
        NotFound, LedgerUnavailable: as for `cancel`.
        ConfigError: a number makes no sense, or there is no evidence.
    """
    if not evidence.strip():
        raise ConfigError(["--evidence: say where you have seen it"])
    entry = _named(run_dir, name)
    fields = {
        "order_key": entry.order_key,
        "to": str(ENDS[end]),
        "filled_quantity": _money("--filled", filled),
        "price": _money("--price", price),
        "evidence": evidence,
        "unasked": unasked,
    }
    return _ask(run_dir, "resolve_order", fields, as_json=as_json, timeout_s=timeout_s)


def _named(run_dir: Path, name: str) -> LedgerEntry:
    with LedgerReader(run_dir / LEDGER) as ledger:
        return find_order(ledger, name)


def _ask(
    run_dir: Path, command: str, fields: Mapping[str, object], *, as_json: bool, timeout_s: float
) -> int:
    client = OperatorClient(run_dir, timeout_s)
    try:
        answer = client.answer(client.order(command, **fields))
    except Refused as problem:
        return _failed(str(problem), EXIT_FAILED)
    except NoAnswer as problem:
        return _failed(_silent(run_dir, problem), EXIT_NOTHING_THERE)
    if answer is None:
        key = fields["order_key"]
        text = (
            f"nothing is proved within {timeout_s:g} s; look again: watchkeeper orders show {key}"
        )
        return _failed(text, EXIT_FAILED)
    return say({"order_key": fields["order_key"], **answer}, as_json=as_json)


def _silent(run_dir: Path, problem: NoAnswer) -> str:
    if problem.gone:
        return (
            f"no process runs in {run_dir}: start it, for it asks the venue before anything is"
            " settled; `watchkeeper halt` cancels all that is open without one"
        )
    return f"the process of {run_dir} does not answer: {problem}"


def _money(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ConfigError([f"{option} {text}: expected an amount such as 0.01"])
    return str(amount)


def _failed(text: str, code: int) -> int:
    sys.stderr.write(f"watchkeeper: {text}\n")
    return code
