"""The versions that a run names: those of this process, and no library that it does without."""

import os
import platform
import sqlite3
import sys
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from ops.software import Software


def test_nothing_is_known_before_somebody_looks() -> None:
    assert Software().summary() == {}


@pytest.mark.parametrize(
    ("loaded", "named"), [(None, None), (SimpleNamespace(__version__="4.5.1"), "4.5.1")]
)
def test_it_names_what_this_process_runs_on(
    loaded: object, named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ccxt", raising=False)
    if loaded is not None:
        monkeypatch.setitem(sys.modules, "ccxt", loaded)
    software = Software()
    software.look()

    found = software.summary()

    assert found["watchkeeper"] == version("watchkeeper")
    assert found["python"] == platform.python_version()
    assert found["sqlite"] == sqlite3.sqlite_version
    assert (found["ccxt"], found["host"]) == (named, os.uname().nodename)
