"""What kind of account it is, where an exchange has two whose orders are found in two places.

By itself ccxt asks within the first call that needs it. At Bitget and Gate it takes every failure,
even a lost answer, for the older kind, for as long as the client lives; at KuCoin it asks only when
it loads the markets. Orders would then be looked for where there are none, and not finding them
would look like proof. So the gate asks, and lets nothing pass without an answer.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from exchanges.ccxt_call import current_call

Ask = Callable[[Any], Awaitable[object]]


async def _ask_bitget(client: Any) -> None:
    await _note_kind(client.privateUtaGetV3AccountSettings(), "uta", client, lambda _: True)


async def _ask_gate(client: Any) -> None:
    await _note_kind(client.privateAccountGetDetail(), "unifiedAccount", client, _is_unified)


async def _ask_kucoin_hf(client: Any) -> None:
    await client.load_migration_status()


async def _ask_kucoin_uta(client: Any) -> None:
    await client.is_uta_enabled()


_QUESTIONS: dict[str, tuple[tuple[str, Ask], ...]] = {
    "bitget": (("uta", _ask_bitget),),
    "gate": (("unifiedAccount", _ask_gate),),
    "kucoin": (("hf", _ask_kucoin_hf), ("uta", _ask_kucoin_uta)),
}
"""The option in which ccxt keeps the answer, and how it is asked for."""


def questions_of(client: Any, exchange: str) -> list[Ask]:
    """Give what is to be asked: nothing that was answered before, or that the config says."""
    return [ask for name, ask in _QUESTIONS.get(exchange, ()) if client.options.get(name) is None]


def _is_unified(answer: Any) -> bool:
    key = answer.get("key") if isinstance(answer, dict) else None
    return isinstance(key, dict) and str(key.get("mode")) == "2"


async def _note_kind(
    question: Awaitable[Any], option: str, client: Any, is_newer: Callable[[Any], bool]
) -> None:
    """Note the kind; the exchange's own refusal means the older one, and nothing else does.

    Raises:
        Exception: ccxt's; there was no answer to the question.
    """
    try:
        client.options[option] = is_newer(await question)
    except Exception as error:
        if not _has_answered(error):
            raise
        client.options[option] = False


def _has_answered(error: Exception) -> bool:
    """Whether the exchange refused the question itself, and not that it was asked now."""
    call = current_call()
    seen = call.response if call is not None else None
    if seen is None or not seen.has_json or not 200 <= seen.http_status < 500:
        return False
    return "NetworkError" not in {kind.__name__ for kind in type(error).__mro__}
