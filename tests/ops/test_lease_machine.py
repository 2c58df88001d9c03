"""What can be known of another process: that it is gone, that it is there, or nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import ops
from messages.lease import Holder
from ops.lease_machine import Machine, boot_ns, this_machine

ROOT = Path(ops.__file__ or "").parent.parent
CHILD = """
import sys
from pathlib import Path
import msgspec
from ops.lease_machine import this_machine
print(msgspec.json.encode(this_machine().me(Path("x"))).decode(), flush=True)
sys.stdin.read()
"""

if not this_machine().space:
    pytest.skip("the kernel does not tell", allow_module_level=True)


@pytest.fixture
def child() -> Iterator["tuple[subprocess.Popen[bytes], Holder]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stdout is not None
        yield process, msgspec.json.decode(process.stdout.readline(), type=Holder)
        process.kill()


@pytest.mark.slow
def test_a_process_is_alive_until_it_is_killed_and_also_while_it_is_stopped(
    child: "tuple[subprocess.Popen[bytes], Holder]",
) -> None:
    process, holder = child
    machine = this_machine()

    assert machine.is_alive(holder) is True
    process.send_signal(signal.SIGSTOP)
    assert machine.is_alive(holder) is True
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert machine.is_alive(holder) is False  # dead, though nobody has waited for it
    process.wait()
    assert machine.is_alive(holder) is False


def test_another_process_under_the_same_number_is_another() -> None:
    machine = this_machine()
    me = machine.me(Path())

    assert machine.is_alive(me) is True
    assert machine.is_alive(msgspec.structs.replace(me, started=me.started - 1)) is False


@pytest.mark.parametrize("change", [{"space": "another boot"}, {"space": ""}, {"started": 0}])
def test_what_is_not_of_this_boot_and_namespace_cannot_be_seen(change: dict[str, str]) -> None:
    machine = this_machine()
    me = machine.me(Path())

    assert machine.is_alive(msgspec.structs.replace(me, **change)) is None


def test_where_the_kernel_tells_nothing_nothing_is_known() -> None:
    me = this_machine().me(Path())

    assert Machine("", "").is_alive(me) is None


def test_the_run_directory_is_told_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert this_machine().me(Path("link/run")).run_dir == str(tmp_path / "run")


def test_the_boot_clock_goes_on() -> None:
    assert boot_ns() < boot_ns()
