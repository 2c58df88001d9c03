"""Floor 1: what outlives the process. The only place that imports peewee."""

import sys

_DRIVERS = ("psycopg", "psycopg2", "psycopg2cffi", "pymysql", "MySQLdb")
"""Peewee imports each that is installed, with all of asyncio: a start would pay for none of ours.

`persistence.postgres` imports the one it uses where it opens a connection.
"""


def _import_peewee() -> None:
    absent = [name for name in _DRIVERS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: not to be had
    try:
        import peewee  # noqa: F401 - only so that it is there
    finally:
        for name in absent:
            del sys.modules[name]


if "peewee" not in sys.modules:
    _import_peewee()
