"""The trial server of the tests does not outlive them, even where they are killed."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.persistence.postgres_server import janitor

LIMIT_S = 30.0
OWNER = """
import pathlib, sys
from tests.persistence.postgres_server import janitor
cleaner = janitor(pathlib.Path(sys.argv[1]))
print(cleaner.pid, flush=True)
input()
"""


def until_gone(folder: Path) -> bool:
    pause = threading.Event()
    for _ in range(int(LIMIT_S / 0.02)):
        if not folder.exists():
            return True
        pause.wait(0.02)
    return False


def cluster(folder: Path, command: str) -> "subprocess.Popen[bytes]":
    """What looks like a cluster: a process, its child, and the file that names it."""
    (folder / "data").mkdir(parents=True)
    wait = "s.run(['sleep', '600']); t.sleep(600)"  # for its child may be ended before it
    script = f"import subprocess as s, time as t; {wait}  # {command}"
    server = subprocess.Popen([sys.executable, "-c", script])
    (folder / "data" / "postmaster.pid").write_text(f"{server.pid}\n{folder}/data\n")
    return server


def test_when_its_owner_is_killed_the_server_is_ended_and_its_folder_goes(tmp_path: Path) -> None:
    folder = tmp_path / "wk-pg-trial"
    server = cluster(folder, f"{folder}/data")
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        assert int(owner.stdout.readline())
        assert server.poll() is None
        owner.kill()

    assert until_gone(folder)
    assert server.wait(LIMIT_S) == -signal.SIGKILL


def test_a_process_that_only_has_its_number_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "wk-pg-trial"
    other = cluster(folder, "of somebody else")
    janitor(folder).communicate()
    try:
        assert until_gone(folder)
        assert other.poll() is None
    finally:
        for pid in Path(f"/proc/{other.pid}/task/{other.pid}/children").read_text().split():
            subprocess.run(["kill", "-9", pid], check=True)
        other.kill()
        other.wait(LIMIT_S)
