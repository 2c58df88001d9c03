"""Columns that keep money exact: SQLite would turn peewee's own `DecimalField` into a float."""

from decimal import Decimal

from peewee import Field


class DecimalText(Field):
    """A Decimal as the text Python writes for it: every digit, and the exponent, come back.

    SQL compares and adds such a column as text, so sort and sum in Python.
    """

    field_type = "TEXT"

    def db_value(self, value: Decimal | None) -> str | None:
        """Write the digits."""
        return None if value is None else str(value)

    def python_value(self, value: str | None) -> Decimal | None:
        """Read the digits."""
        return None if value is None else Decimal(value)
