"""The first install, as README has it: what needs more says which extra, in one sentence."""

import json
import os
import subprocess
import sys

import pytest

from tests.cli.runs import ROOT

ABSENT = (
    *("aiohttp", "apprise", "ccxt", "optuna", "psutil", "psycopg", "pyarrow", "ray"),
    *("sqlalchemy", "starlette", "uvicorn"),
)
WORDS = {
    "start --exchange binance --symbol BTC/USDT": "exchange",
    "start --idempotency-backend postgres --database-url-env DATABASE --run-dir run": "postgres",
    "venue": "exchange",
    "drill": "exchange",
    "data list": "parquet",
    "dashboard --serve": "dashboard",
    "orchestrate up fleet.toml": "orchestrate",
    "orchestrate ps fleet.toml": "orchestrate",
    "optimize bot.toml": "optimize",
    "optimize bot.toml --ray local": "optimize",
    "alert test": "alerts",
}
SCRIPT = """
import contextlib, io, json, os, sys
import cli
for name in json.loads(sys.argv[1]):
    sys.modules[name] = None
said = {}
for words in json.loads(sys.argv[2]):
    if words == "alert test":
        os.environ["WATCHKEEPER_ALERT_URLS"] = "json://127.0.0.1:1/x"
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        code = cli.main(words.split())
    said[words] = (code, err.getvalue())
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What each command says where none of the extras is installed: all of them in one process."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DATABASE": "postgresql://bot:pw@127.0.0.1:1/x",
    }
    folder = tmp_path_factory.mktemp("first-install")
    run = folder / "runs" / "one"
    run.mkdir(parents=True)
    (run / "status.json").touch()
    environment.pop("WATCHKEEPER_ALERT_URLS", None)
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, json.dumps(ABSENT), json.dumps([*WORDS])],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[int, str]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("words", WORDS)
def test_what_is_not_installed_is_one_sentence_with_the_extra_that_brings_it(
    said: dict[str, tuple[int, str]], words: str
) -> None:
    code, text = said[words]
    assert code == 2
    assert f"pip install '.[{WORDS[words]}]' from the checkout" in text
    assert (text.count("\n"), text.startswith("watchkeeper: ")) == (1, True)
