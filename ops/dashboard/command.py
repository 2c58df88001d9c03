"""The `dashboard` command: one page of one or several runs, their model as JSON, or a live page."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from messages.errors import ConfigError
from ops.dashboard.run import RunModel
from ops.page_files import Wanted, check_replaceable, write_page
from ops.run_files import DASHBOARD

SCHEMA = 1
MOST_RUNS = 12


class DashboardOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `dashboard`."""

    runs: tuple[Path, ...]
    out: Path | None = None
    """Where the page goes; None is `dashboard.html` in the run directory, or here for several."""
    as_json: bool = False
    most_orders: int = 1_000
    serve: bool = False
    host: str = "127.0.0.1"
    port: int = 8765


def dashboard(options: DashboardOptions) -> int:
    """Write it, and give the exit code.

    Raises:
        DataError: a run directory is not there, or is none and the page would go into it.
        ConfigError: too many runs, what `--serve` needs is missing, or another file is there.
        OSError: the page cannot be written.
    """
    if len(options.runs) > MOST_RUNS:
        raise ConfigError([f"dashboard: {len(options.runs)} runs, at most {MOST_RUNS} at once"])
    if options.serve:
        from ops.dashboard.serve import serve

        return serve(options)
    check_replaceable(Wanted("--out", None if options.as_json else options.out))
    model = model_of(options)
    if options.as_json:
        sys.stdout.write(json.dumps(model) + "\n")
        return 0
    from ops.dashboard.page import page

    path = options.out or _place(options.runs)
    text = page(model)
    if str(path) == "-":
        sys.stdout.write(text)
        return 0
    write_page(path, text)
    sys.stdout.write(f"{path} ({len(text.encode()) / 1024:.0f} kB): open it in any browser\n")
    return 0


def model_of(options: DashboardOptions) -> dict[str, Any]:
    """Give the model of all runs."""
    with ExitStack() as stack:
        models = []
        for run_dir in options.runs:
            reader = RunModel(run_dir, most_orders=options.most_orders)
            stack.callback(reader.close)
            models.append(reader.refresh())
    return document(models)


def document(models: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the models of runs into one document, each under a name of its own."""
    return {"schema": SCHEMA, "live": False, "runs": with_names(models)}


def with_names(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell apart the runs that bear one name, by their directories."""
    names = [model["name"] for model in models]
    for model in models:
        is_alone = names.count(model["name"]) == 1
        model["title"] = model["name"] if is_alone else Path(model["run_dir"]).name
    titles = [model["title"] for model in models]
    for number, model in enumerate(models, 1):
        if titles.count(model["title"]) > 1:
            model["title"] = f"{model['title']} ({number})"
    return models


def _place(runs: tuple[Path, ...]) -> Path:
    """Say where the page goes where nobody says it."""
    return Path(DASHBOARD) if len(runs) > 1 else runs[0] / DASHBOARD
