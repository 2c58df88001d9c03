"""Benchmarks measure the program as it is now, and leave nothing behind, however they end."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("uvicorn", reason="the extra `dashboard` is not installed")

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_command_ends_when_who_measures_it_is_gone(tmp_path: Path) -> None:
    words = ("dashboard", str(tmp_path), "--serve", "--port", "0")
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "benchmarks.lifeline", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith(b"http://")
            process.stdin.close()  # as the kernel does for who was killed
            assert process.wait(60) == 1
        finally:
            process.kill()


@pytest.mark.slow
def test_the_stepped_system_is_wired_with_what_is_measured(tmp_path: Path) -> None:
    done = of_benchmarks(
        """
        from benchmarks import step_system as measured

        candles = measured.make_candles(2_000)
        measured.write_csv(folder / "candles.csv", candles)
        _, orders = measured.system_rate(folder, candles, loaded=True, backend="memory")
        print(orders, measured.plain_loop([float(one.close) for one in candles]))
        """,
        tmp_path,
    )

    system, plain = done.stdout.split()
    assert int(system) == int(plain) > 0
    assert not list((tmp_path / "run").glob("*.db")), "neither the ledger nor the book is a file"


@pytest.mark.slow
def test_a_benchmark_that_breaks_costs_nobody_what_the_others_measured(tmp_path: Path) -> None:
    done = of_benchmarks(
        """
        from benchmarks import __main__ as program
        from benchmarks import startup, step_system
        from benchmarks.common import Result

        def broken(options):
            raise LookupError("a name that moved")

        step_system.run = broken
        startup.run = lambda options: [Result(name="what stands", value=1.0)]
        print(program.main(["--only", "step_system", "--only", "startup", "--dir", str(folder)]))
        """,
        tmp_path,
    )

    assert "it broke: LookupError: a name that moved" in done.stdout
    assert "what stands" in done.stdout
    assert done.stdout.endswith("\n1\n"), "a script can tell"
    assert "Traceback" in done.stderr


@pytest.mark.slow
def test_one_whose_library_is_missing_says_what_to_install_and_misses_no_goal(
    tmp_path: Path,
) -> None:
    done = of_benchmarks(
        """
        import sys
        sys.modules["optuna"] = None
        from benchmarks import __main__ as program

        print(program.main(["--only", "optimize", "--quick", "--dir", str(folder)]))
        """,
        tmp_path,
    )

    assert "optimize: optuna is not installed: pip install '.[dev]'" in done.stdout
    assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.slow
def test_one_that_lacks_a_module_of_our_own_is_broken(tmp_path: Path) -> None:
    done = of_benchmarks(
        """
        import sys
        sys.modules["research.optimise.opening"] = None
        from benchmarks import __main__ as program

        print(program.main(["--only", "optimize", "--quick", "--dir", str(folder)]))
        """,
        tmp_path,
    )

    assert "it broke: ModuleNotFoundError" in done.stdout
    assert done.stdout.splitlines()[-1] == "1"


@pytest.mark.slow
def test_claims_have_the_goals_of_an_empty_table_on_a_large_one_too(tmp_path: Path) -> None:
    done = of_benchmarks(
        """
        from types import SimpleNamespace

        from benchmarks.claims_with_rows import Rounds, results
        from benchmarks.common import Options

        def judged(claims, aiosqlite, p99_ms, refused):
            loop = SimpleNamespace(
                p50_ms=1, p99_ms=p99_ms, told_per_s=20_000, claimed_per_s=19_990, refused=refused
            )
            large = Rounds(alone=[1.0], most=[claims], loops=[loop], aiosqlite=[aiosqlite])
            rows = results(options, Rounds(alone=[1.0], most=[1.0]), large)
            print(*[(row.goal, row.met) for row in rows if row.goal])

        options = Options(quick=True, rows=7, folder=folder)
        judged(30_000.0, 3_000.0, 9.9, 0)
        judged(29_999.0, 3_000.0, 10.0, 0)
        judged(29_999.0, 3_000.0, 9.9, 1)
        """,
        tmp_path,
    )

    assert done.stdout.splitlines() == [
        "('>= 10x', True) ('p99 < 10 ms', True)",
        "('>= 10x', False) ('p99 < 10 ms', False)",
        "('>= 10x', False) ('p99 < 10 ms', False)",
    ]


@pytest.mark.slow
def test_a_hand_over_has_the_goals_of_a_claim_and_is_missed_where_there_is_none(
    tmp_path: Path,
) -> None:
    done = of_benchmarks(
        """
        from benchmarks.tick_to_order import Percentiles, SETTINGS, Spans, lines_of

        def judged(claim, handed):
            floor = Percentiles(p50=100.0, p99=150.0)
            for row in lines_of(SETTINGS[0], [Spans(claim, handed, 3)], floor, floor):
                print(row.name, row.goal, row.met, row.note if "p99" in row.name else "")

        judged([350.0] * 2, [351.0, 1_500.0])
        judged([350.0] * 2, [350.0])
        """,
        tmp_path,
    )

    share = "2 orders of the 3 that all ticks make"
    claim = [
        "tick -> durable claim, p50 <= 3.5x True",
        f"tick -> durable claim, p99 < 1,500 us True {share}",
    ]
    late = ["tick -> hand-over, p50 <= 3.5x False", "tick -> hand-over, p99 < 1,500 us False"]
    never = [late[0], f"{late[1]} claims that were never handed over: 1"]
    told = [line.rstrip() for line in done.stdout.splitlines()]
    assert told == [*claim, *late, *claim, *never]


@pytest.mark.slow
def test_the_command_health_is_held_by_its_wall_time_too(tmp_path: Path) -> None:
    done = of_benchmarks(
        """
        from benchmarks.inspection import Spent, of_commands

        def judged(wall_ms):
            rows = list(of_commands("hung", [Spent(99.9, wall_ms)], [Spent(20.0, 25.0)]))
            print(*[f"{row.name} {row.goal} {row.met}" for row in rows if "max" in row.name])

        judged(299.9)
        judged(300.0)
        """,
        tmp_path,
    )

    processor = "health, command, processor time, hung: max < 100 ms True"
    wall = "health, command, wall time, hung: max < 300 ms"
    assert done.stdout.splitlines() == [f"{processor} {wall} True", f"{processor} {wall} False"]


def of_benchmarks(text: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run some lines where benchmarks can be imported: no wheel has them."""
    head = f"from pathlib import Path\nfolder = Path({str(folder)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", head + dedent(text)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done
