"""The names of a decision: its key with us, its client order id at the venue. Pure functions."""

from binascii import b2a_base64
from collections.abc import Callable
from functools import cache, lru_cache
from hashlib import blake2b
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits

from messages.ids import (
    NS_PER_MS,
    AccountId,
    ClientOrderId,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
)

URL_SAFE = digits + ascii_letters + "-_"
_MS_HEX_DIGITS = 12
_MS_END = 16**_MS_HEX_DIGITS
_MOST_ORDINALS = 1_000
_ID_BITS = 128
_LEAST_ID_BITS = 64
_SIX_BIT_LENGTH = 22


def order_key(
    account: AccountId,
    strategy_id: StrategyId,
    symbol: Symbol,
    decided_at_ns: TimestampNs,
    ordinal: int,
) -> OrderKey:
    """Name one decision: 12 hex digits of its millisecond, then 20 of a hash of all five.

    The time goes first so that keys are inserted in order. Each field is hashed with its
    length, so that no two different decisions read the same.

    Raises:
        ValueError: the time is before 1970 or after the year 10889.
    """
    return keys_of(account, strategy_id, symbol)(decided_at_ns, ordinal)


KeyMaker = Callable[[TimestampNs, int], OrderKey]
"""Gives the `order_key` of one strategy on one symbol, by moment and ordinal."""


@lru_cache(maxsize=1024)
def keys_of(account: AccountId, strategy_id: StrategyId, symbol: Symbol) -> KeyMaker:
    """Begin the hash with what all decisions of one strategy on a symbol share, once."""
    text = b"".join(
        [b"%d:%b" % (len(raw), raw) for raw in map(str.encode, (account, strategy_id, symbol))]
    )
    begun = blake2b(text, digest_size=10, person=b"order-key")

    def key(decided_at_ns: TimestampNs, ordinal: int) -> OrderKey:
        ms = decided_at_ns // NS_PER_MS
        if not 0 <= ms < _MS_END:
            raise ValueError(f"{decided_at_ns} ns is no moment that a key can hold")
        moment, place = str(decided_at_ns), str(ordinal)
        hashed = begun.copy()
        hashed.update(f"{len(moment)}:{moment}{len(place)}:{place}".encode())
        return OrderKey(f"{ms:012x}{hashed.hexdigest()}")

    return key


def moment_in(key: OrderKey) -> str:
    """Give the part of a key that says when it was decided: the earlier, the less."""
    return key[:_MS_HEX_DIGITS]


def ordinal_of(
    key: OrderKey,
    account: AccountId,
    strategy_id: StrategyId,
    symbol: Symbol,
    decided_at_ns: TimestampNs,
) -> int | None:
    """Give which of its moment's decisions has this key.

    None if none of the first thousand has, as none has that of an exit that a stop decides.

    Raises:
        ValueError: as `order_key`.
    """
    made = keys_of(account, strategy_id, symbol)
    return next((n for n in range(_MOST_ORDINALS) if made(decided_at_ns, n) == key), None)


def exit_key(entry_key: OrderKey, ordinal: int, decided_at_ns: TimestampNs) -> OrderKey:
    """Name an exit that a stop decides: of its entry's key, and which of its exits it is.

    The moment goes first, as in every key; the rest is a function of the stop alone. So the same
    event of the market makes the same exit, whenever and by whichever process it is decided.
    """
    raw = entry_key.encode()
    text = b"%d:%b%d" % (len(raw), raw, ordinal)
    hashed = blake2b(text, digest_size=10, person=b"exit-key").hexdigest()
    return OrderKey(f"{decided_at_ns // NS_PER_MS:0{_MS_HEX_DIGITS}x}{hashed}")


def rest_key(exit_of: OrderKey, ordinal: int) -> OrderKey:
    """Name a further order for what an exit could not take: of its key, and which of them it is.

    In the moment of the exit: it is one decision.
    """
    text = b"%d:%b%d" % (len(exit_of), exit_of.encode(), ordinal)
    hashed = blake2b(text, digest_size=10, person=b"rest-key").hexdigest()
    return OrderKey(exit_of[:_MS_HEX_DIGITS] + hashed)


PREFIX = "wk"
"""What every client order id of this system begins with."""


def client_order_id(
    key: OrderKey, prefix: str = PREFIX, max_length: int = 36, alphabet: str = URL_SAFE
) -> ClientOrderId:
    """Name the order at a venue: the prefix, then the key's hash in the venue's alphabet.

    As long as 128 bits need and the venue allows. The prefix must be in its alphabet too.

    Raises:
        ValueError: under 64 bits fit, so two orders could share an id.
    """
    length, letters = _shape(max_length - len(prefix), alphabet)
    digest = blake2b(key.encode(), digest_size=16, person=b"client-id").digest()
    if letters:
        spelt = b2a_base64(digest, newline=False).translate(letters)[:length].decode()
        return ClientOrderId(prefix + spelt)
    number = int.from_bytes(digest)
    spelt = ""
    for _ in range(length):
        number, place = divmod(number, len(alphabet))
        spelt += alphabet[place]
    return ClientOrderId(prefix + spelt)


@cache
def _shape(room: int, alphabet: str) -> tuple[int, bytes]:
    """Give the length of what follows the prefix; and how to spell six bits a letter, if it is so.

    Kept, for this is asked for every order.
    """
    if len(alphabet) ** max(room, 0) < 2**_LEAST_ID_BITS:
        raise ValueError(f"{room} characters of {len(alphabet)} kinds cannot tell orders apart")
    if len(alphabet) != len(URL_SAFE) or not alphabet.isascii():
        return _length(room, len(alphabet)), b""
    of_base64 = ascii_uppercase + ascii_lowercase + digits + "+/"
    letters = bytes.maketrans(of_base64.encode(), alphabet.encode())
    return min(room, _SIX_BIT_LENGTH), letters


def _length(room: int, kinds: int) -> int:
    length, reach = 0, 1
    while reach < 2**_ID_BITS and length < room:
        length, reach = length + 1, reach * kinds
    return length
