"""Who leaves a position whose strategy does not trade any more. Pure."""

from decimal import Decimal

from messages.exact import EXACT, NOTHING


def who_leaves(held: Decimal, protected: Decimal) -> str:
    """Say it in a few words; `protected` is unsigned, by stops that can act. Base currency."""
    rest = EXACT.subtract(abs(held), protected)
    if protected <= NOTHING:
        return "nobody leaves it"
    if rest <= NOTHING:
        return "its stops alone leave it"
    return f"its stops alone leave {protected.normalize():f} of it, and nobody the rest"
