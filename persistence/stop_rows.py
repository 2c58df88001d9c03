"""Stops as rows: constant SQL, and the way there and back."""

from decimal import Decimal, InvalidOperation
from typing import Any

from messages.errors import LedgerUnavailable
from messages.stops import Stop, StopState
from messages.values import Side

Row = tuple[Any, ...]

_FIELDS = Stop.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_MARKS = ", ".join("?" * len(_FIELDS))
_NEWER = ", ".join(f"{name} = excluded.{name}" for name in _FIELDS if name != "entry_key")
_MONEY = ("stop_loss", "take_profit", "trails_by", "reference_price", "best_price", "released")
_NUMBERS = frozenset((*_MONEY, "acted_price"))
_KEPT = ", ".join(f"'{state}'" for state in sorted(StopState) if state is not StopState.DONE)

PUT_STOP = (
    f"INSERT INTO stops ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - constant words
    f" ON CONFLICT (entry_key) DO UPDATE SET {_NEWER}"
)
SELECT_KEPT = (
    f"SELECT {_COLUMNS} FROM stops INDEXED BY stops_kept"  # noqa: S608 - constant words
    f" WHERE state IN ({_KEPT}) ORDER BY entry_key"
)
SELECT_ALL = f"SELECT {_COLUMNS} FROM stops ORDER BY entry_key"  # noqa: S608 - constant words
SELECT_AFTER = f"SELECT {_COLUMNS} FROM stops WHERE entry_key > ? ORDER BY entry_key LIMIT ?"  # noqa: S608 - constant words
SELECT_STOP = f"SELECT {_COLUMNS} FROM stops WHERE entry_key = ?"  # noqa: S608 - constant words
SELECT_OF_EXIT = f"SELECT {_COLUMNS} FROM stops WHERE exits LIKE '%' || ? || '%'"  # noqa: S608 - constant words
"""A look at all stops."""


def stop_row(stop: Stop) -> Row:
    """Turn a stop into the parameters of `PUT_STOP`."""
    return tuple(_plain(name, getattr(stop, name)) for name in _FIELDS)


def stop_in(row: Row) -> Stop:
    """Read what `stop_row` wrote.

    Raises:
        LedgerUnavailable: somebody else wrote it: a word or a number that means nothing.
    """
    fields = dict(zip(_FIELDS, row, strict=True))
    try:
        for name in _NUMBERS:
            if fields[name] is not None:
                fields[name] = Decimal(fields[name])
        fields |= {
            "exits": tuple(fields["exits"].split()),
            "side": Side(fields["side"]),
            "state": StopState(fields["state"]),
            "is_limit": bool(fields["is_limit"]),
            "is_inside": bool(fields["is_inside"]),
        }
    except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
        said = "no number" if isinstance(error, InvalidOperation) else str(error)
        raise LedgerUnavailable(f"stop {row[0]} of the ledger cannot be read: {said}") from error
    return Stop(**fields)


def _plain(name: str, value: Any) -> Any:
    if name in _NUMBERS:
        return None if value is None else str(value)
    if name == "exits":
        return " ".join(value)
    if name in ("side", "state"):
        return value.value
    return int(value) if isinstance(value, bool) else value
