"""Messages survive their two codecs unchanged, and nothing else gets in."""

import json
import os
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.base import Message
from messages.catalogue import AnyMessage
from messages.codec import from_json, from_msgpack, to_json, to_msgpack
from messages.errors import CodecError
from messages.ids import Symbol, TimestampNs
from messages.market import Candle
from messages.orders import Fill

FEW = settings(max_examples=2_000 if os.environ.get("WATCHKEEPER_STRESS") else 25)
"""Of each class; there are many, of few kinds of fields."""
CLASSES: list[type[Message]] = list(get_args(AnyMessage))
INT_64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MONEY = st.decimals(allow_nan=False, allow_infinity=False)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Give a strategy for one field type as msgspec sees it."""
    match kind:
        case msgspec.inspect.DecimalType():
            return MONEY
        case msgspec.inspect.IntType():
            return INT_64
        case msgspec.inspect.StrType():
            return TEXT
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.BytesType():
            return st.binary(max_size=20)
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.EnumType():
            return st.sampled_from(kind.cls)
        case msgspec.inspect.UnionType():
            return st.one_of(*(values(one) for one in kind.types))
        case msgspec.inspect.VarTupleType():
            return st.lists(values(kind.item_type), max_size=3).map(tuple)
        case msgspec.inspect.DictType():
            return st.dictionaries(values(kind.key_type), values(kind.value_type), max_size=3)
        case msgspec.inspect.StructType():
            fields = {field.name: values(field.type) for field in kind.fields}
            return st.builds(kind.cls, **fields)
    raise AssertionError(f"no strategy for {kind}")


@cache
def any_of(message: type[Message]) -> st.SearchStrategy[Any]:
    return values(msgspec.inspect.type_info(message))


def candle() -> Candle:
    price = Decimal("61480.20")
    return Candle(
        symbol=Symbol("BTC/USDT"),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal("0.00"),
        ts_open_ns=TimestampNs(0),
        ts_event_ns=TimestampNs(60),
    )


@pytest.mark.slow
@pytest.mark.parametrize("message", CLASSES)
@FEW
@given(data=st.data())
def test_every_message_comes_back_from_json_and_from_msgpack_as_it_was(
    message: type[Message], data: st.DataObject
) -> None:
    made = data.draw(any_of(message))

    assert from_json(to_json(made)) == made
    assert from_msgpack(to_msgpack(made)) == made


@given(price=MONEY)
def test_money_keeps_every_digit_and_zero(price: Decimal) -> None:
    sent = msgspec.structs.replace(candle(), close=price)

    back = from_json(to_json(sent))

    assert isinstance(back, Candle)
    assert str(back.close) == str(price)


def test_money_travels_as_strings() -> None:
    line = json.loads(to_json(candle()))

    assert line["close"] == "61480.20"
    assert line["volume"] == "0.00"


@pytest.mark.parametrize("owner", [*CLASSES, Fill])
def test_no_field_of_a_message_is_a_float(owner: type[msgspec.Struct]) -> None:
    floats = [one for one in msgspec.structs.fields(owner) if one.type in (float, float | None)]

    assert floats == []


def test_json_is_one_line_with_its_keys_in_order() -> None:
    line = to_json(candle())

    assert b"\n" not in line
    assert list(json.loads(line)) == sorted(json.loads(line))


CHANGES: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("an unknown field", lambda fields: fields.update(surprise=1)),
    ("an unknown tag", lambda fields: fields.update(type="Telegram")),
    ("no tag", lambda fields: fields.pop("type")),
    ("a missing field", lambda fields: fields.pop("close")),
    ("a wrong type", lambda fields: fields.update(ts_event_ns="60")),
    ("money that is no number", lambda fields: fields.update(close="much")),
    ("a fraction of a nanosecond", lambda fields: fields.update(ts_event_ns=0.5)),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=[name for name, _ in CHANGES])
def test_what_is_not_a_message_is_refused_by_both_codecs(
    name: str, change: Callable[[dict[str, Any]], object]
) -> None:
    fields = json.loads(to_json(candle()))
    change(fields)

    with pytest.raises(CodecError):
        from_json(json.dumps(fields).encode())
    with pytest.raises(CodecError):
        from_msgpack(msgspec.msgpack.encode(fields))


@given(raw=st.binary(max_size=60))
def test_noise_is_refused_and_never_anything_worse(raw: bytes) -> None:
    for decode in (from_json, from_msgpack):
        with pytest.raises(CodecError):
            decode(raw)


@pytest.mark.parametrize(
    ("decode", "opened"), [(from_json, b'{"a":'), (from_msgpack, b"\x81\xa1a")]
)
def test_what_is_nested_without_end_is_refused(
    decode: Callable[[bytes], AnyMessage], opened: bytes
) -> None:
    with pytest.raises(CodecError):
        decode(opened * 100_000)


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_line_is_refused(cut: int) -> None:
    with pytest.raises(CodecError):
        from_json(to_json(candle())[:-cut])
