"""What a strategy decides, where none of it may be the end of an order."""

from collections.abc import Iterable

from messages.orders import Intent, OrderIntent


def orders(given: Iterable[Intent]) -> list[OrderIntent]:
    """Give them as what they are."""
    found = []
    for intent in given:
        assert isinstance(intent, OrderIntent)
        found.append(intent)
    return found
