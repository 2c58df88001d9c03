"""Two threads that decode a type for the first time: a trap of msgspec's, and the way around it."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from messages.learning import learn

IS_MENDED = tuple(map(int, version("msgspec").split(".")[:2])) >= (0, 23)
ENOUGH = 300
"""Of twelve processes without it the last crashed at attempt 66, and half of them within ten."""
TRAP = """
import sys, threading
import msgspec
from messages.learning import learn

sys.setswitchinterval(1e-6)  # a live process has 50 us
for attempt in range({attempts}):
    parts = [(f"part{{n}}", msgspec.defstruct(f"Part{{n}}", [("a", int, 0), ("b", str, "")]), None)
             for n in range(30)]
    whole = msgspec.defstruct("Whole", parts)
    learn(*[whole][:{learnt}])
    both = threading.Barrier(2)

    def decode():
        both.wait()
        msgspec.json.decode(b'{{"part29": {{"a": 1}}}}', type=whole)

    threads = [threading.Thread(target=decode) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("alive")
"""


def run(*, attempts: int, learnt: int) -> "subprocess.CompletedProcess[str]":
    code = TRAP.format(attempts=attempts, learnt=learnt)
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.skipif(IS_MENDED, reason="msgspec has mended it in 0.23")
def test_trap_two_threads_that_decode_a_type_for_the_first_time_crash_the_interpreter() -> None:
    """At the first attempts, as a rule. `setup.cfg` allows such a msgspec, and `lowest` has one."""
    assert run(attempts=5_000, learnt=0).returncode != 0


@pytest.mark.slow
@pytest.mark.skipif(not IS_MENDED, reason="msgspec has mended it in 0.23 only")
def test_since_it_is_mended_they_do_not() -> None:
    """Once no older msgspec is allowed, `learn` is of no use any more."""
    done = run(attempts=ENOUGH, learnt=0)

    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


@pytest.mark.slow
def test_a_type_that_was_learnt_before_is_decoded_by_any_number_of_threads() -> None:
    done = run(attempts=ENOUGH, learnt=1)

    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_what_is_no_type_is_told_where_it_is_learnt() -> None:
    with pytest.raises(TypeError):
        learn({1: 2})
