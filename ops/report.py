"""The `report` command: the tear sheet of a run that was real, from its ledger and journal."""

import sys
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from decisions.performance_trials import Deflated
from decisions.tear_sheet import Part, Sheet, Trials
from decisions.tear_sheet_rows import Row, rows_of
from ops.health_text import one_line
from ops.page_files import Wanted, check_replaceable, write_page
from ops.report_model import RunSheets, run_sheets


class QuoteReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was won or lost in one currency; its parts are statistics, in floats."""

    quote: str
    capital: Decimal
    """What there was at the beginning; of a live run, the most that was in use at once."""
    parts: list[Part]
    """The whole, and with `--split` what was before and what after."""
    split_ns: int | None
    """The last moment of the first part."""
    deflated: Deflated | None
    other_fees: dict[str, Decimal]
    """In a third currency, and so in no profit."""


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run earned, and how."""

    schema: Literal[1]
    name: str
    mode: str
    run_dir: str
    claim: str
    notes: list[str]
    """What is to be known when reading it."""
    why: list[str]
    """Why nothing was executed, one sentence each; empty where something was."""
    quotes: list[QuoteReport]


class ReportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `report`."""

    run_dir: Path
    html: Path | None = None
    """Where the page goes; ``-`` is stdout, None makes none."""
    as_json: bool = False
    split: str = ""
    trials: int | None = None


def report(options: ReportOptions) -> int:
    """Print it, write the page where one is asked for, and give the exit code.

    Raises:
        DataError: there is no such run directory.
        LedgerUnavailable: its ledger cannot be read.
        ConfigError: the split is no moment of it, or the page would replace another file.
        OSError: the page cannot be written.
    """
    check_replaceable(Wanted("--html", options.html))
    trials = Trials(count=options.trials or 1, is_told=options.trials is not None)
    found = run_sheets(options.run_dir, options.split, trials)
    if options.html is not None and _written(options.html, found):
        return 0
    if options.as_json:
        sys.stdout.write(msgspec.json.encode(document(found), order="sorted").decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _table(found))
    return 0


def document(found: RunSheets) -> RunReport:
    """Give what `--json` prints."""
    return RunReport(
        schema=1,
        name=found.name,
        mode=found.mode,
        run_dir=found.run_dir,
        claim=found.model["claim"],
        notes=found.notes,
        why=found.why,
        quotes=[
            QuoteReport(
                quote=sheet.quote,
                capital=Decimal(repr(sheet.capital)),
                parts=sheet.parts,
                split_ns=sheet.split_ns,
                deflated=sheet.deflated,
                other_fees=sheet.other_fees,
            )
            for sheet in found.sheets
        ],
    )


def _written(path: Path, found: RunSheets) -> bool:
    """Write the page; True where it went to stdout, and nothing else may."""
    from ops.dashboard.sheet_page import sheet_page

    text = sheet_page(found.model)
    if str(path) == "-":
        sys.stdout.write(text)
        return True
    write_page(path, text)
    sys.stderr.write(f"{path} ({len(text.encode()) / 1024:,.0f} kB): open it in any browser\n")
    return False


def _table(found: RunSheets) -> list[str]:
    lines = [one_line(f"{found.mode} run {found.name} in {found.run_dir}")]
    lines += [f"  why no execution: {one_line(text)}" for text in found.why]
    for sheet in found.sheets:
        lines += _lines(list(rows_of(sheet.quote, sheet.parts, sheet.deflated)), sheet)
    lines += [f"  note: {one_line(note)}" for note in found.notes]
    return [*lines, f"  {found.model['claim']}"]


def _lines(rows: list[Row], sheet: Sheet) -> list[str]:
    heads = ["", *[part.name for part in sheet.parts], "buy and hold"]
    cells = [heads, *[[one_line(row.label), *row.values, row.hold] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        first, *rest = row
        padded = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append(f"  {first:<{widths[0]}}  {'  '.join(padded)}".rstrip())
    if sheet.parts[0].figures.too_short:
        lines.append(f"  {sheet.parts[0].figures.too_short}")
    return lines
