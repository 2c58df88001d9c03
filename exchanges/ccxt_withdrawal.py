"""Whether the key may withdraw: trading needs no such right, and whoever steals the key does.

A question that reads, so it can do no harm; it keeps nothing from starting, for a person may want
such a key, and who has it is told.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from exchanges.capabilities import Capability, Withdrawal
from exchanges.ccxt_call import recorded
from exchanges.ccxt_gate import check_answer
from exchanges.ccxt_numbers import Unclear
from exchanges.facts import WithdrawalRight

WITHDRAWAL_LIMIT_S = 5.0
ADVICE = "make a key that may trade and not withdraw, and delete this one"


async def ask_withdrawal(client: Any, capability: Capability) -> WithdrawalRight:
    """Ask once. Never raises for what an exchange does."""
    name, question = capability.exchange, capability.withdrawal
    if question is None:
        return _unknown(f"{name} is not known to tell whether a key may withdraw: look there")
    if not is_asked_where_orders_go(client, question.address):
        return _unknown(f"at this address {name} does not tell whether the key may withdraw")
    try:
        async with asyncio.timeout(WITHDRAWAL_LIMIT_S):
            told = await _asked(client, question)
    except TimeoutError:
        return _unanswered(name, f"no answer within {WITHDRAWAL_LIMIT_S:g} s")
    except Unclear as error:
        return _unanswered(name, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody told
        return _unanswered(name, type(error).__name__)
    if told is None:
        return _unanswered(name, "its reply is not the one it documents")
    return WithdrawalRight(told, f"the key may {'' if told else 'not '}withdraw from {name}")


def may_withdraw(answer: Any, question: Withdrawal) -> bool | None:
    """Read it from an answer; None where that is not one that the exchange documents."""
    found = answer
    for step in question.field:
        if isinstance(step, int):
            within = isinstance(found, Sequence) and not isinstance(found, str)
            within = within and len(found) > step
        else:
            within = isinstance(found, dict) and step in found
        if not within:
            return None
        found = found[step]
    if not question.word:
        return found if isinstance(found, bool) else None
    if not isinstance(found, str) or not found:
        return None
    return question.word in [part.strip() for part in found.split(",")]


def is_asked_where_orders_go(client: Any, address: str) -> bool:
    """Whether the key would be shown to no other host: its addresses are set one by one."""
    addresses = client.urls.get("api")
    if not isinstance(addresses, dict):
        return False
    there, orders = addresses.get(address), addresses.get("private", addresses.get("rest"))
    if not isinstance(there, str) or not isinstance(orders, str):
        return False
    return urlsplit(there)[:2] == urlsplit(orders)[:2]


async def _asked(client: Any, question: Withdrawal) -> bool | None:
    with recorded() as call:
        answer = await getattr(client, question.method)()
        check_answer(call)
    return may_withdraw(answer, question)


def _unknown(text: str) -> WithdrawalRight:
    return WithdrawalRight(None, text)


def _unanswered(name: str, why: str) -> WithdrawalRight:
    text = f"{name} did not tell whether the key may withdraw: {why}"
    return WithdrawalRight(None, text, is_unanswered=True)
