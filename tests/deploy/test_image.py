"""The image, really built and run: nobody's user, a read-only root, process number one.

buildah builds it on a base that debootstrap makes. What runs it is the kernel alone (`unshare`,
`chroot`): namespaces of mounts and process numbers, the root mounted read-only, a volume for
`/data`, a tmpfs for `/tmp`. It takes some minutes, so only the long form of the tests does it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("buildah", "debootstrap", "unshare", "nsenter", "chroot", "mount")
BASE, IMAGE = "localhost/python-base:test", "localhost/watchkeeper:test"
UID, GRACE_S, LIMIT_S = 10001, 60.0, 120.0
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(
        not os.environ.get("WATCHKEEPER_STRESS"), reason="minutes of work: WATCHKEEPER_STRESS=1"
    ),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.getuid() != 0, reason="only root may build and mount"),
]

ENTER = """
root=$1 data=$2; shift 2
mount --bind "$root" "$root"
mount --bind "$data" "$root/data"
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,ro,bind "$root"
exec chroot --userspec=10001:10001 --groups= "$root" env -i -C /data "$@"
"""


class Image:
    """A built image, mounted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.config: dict[str, Any] = {}
        self.root = Path()
        self.size_mb = 0.0

    def buildah(self, *words: str) -> str:
        place = ["--root", str(self._folder / "storage"), "--runroot", str(self._folder / "run")]
        done = subprocess.run(
            ["buildah", *place, *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"},
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr[-3000:]}"
        return done.stdout.strip()

    def build(self) -> None:
        base, wheels = self._folder / "base", self._folder / "wheels"
        packages = "--include=python3,python3-venv,ca-certificates"
        run("debootstrap", "--variant=minbase", packages, "bookworm", str(base))
        for file in ("requirements.txt", "requirements-build.txt"):
            run(
                *(sys.executable, "-m", "pip", "download", "-q", "--no-deps"),
                *("--only-binary", ":all:", "--require-hashes", "-d", str(wheels)),
                *("-r", str(ROOT / "deploy" / "container" / file)),
            )
        container = self.buildah("from", "scratch")
        self.buildah("add", "-q", container, str(base), "/")
        self.buildah("commit", "-q", "--rm", container, BASE)
        shutil.rmtree(base)
        given = (f"BASE={BASE}", "PIP_FIND_LINKS=/wheels", "PIP_NO_INDEX=1")
        self.buildah(
            *("bud", "-q", "--format", "docker", "--network", "none", "-t", IMAGE),
            *("--volume", f"{wheels}:/wheels:ro"),
            *(word for one in given for word in ("--build-arg", one)),
            *("-f", str(ROOT / "deploy" / "container" / "Dockerfile"), str(ROOT)),
        )
        shown = json.loads(self.buildah("inspect", "--type", "image", IMAGE))
        self.config = shown["Docker"]["config"]
        self.root = Path(self.buildah("mount", self.buildah("from", IMAGE)))
        self.size_mb = sum(
            f.lstat().st_size for f in self.root.rglob("*") if f.is_file() and not f.is_symlink()
        ) / 1e6  # fmt: skip


def tell(figure: str) -> None:
    """Show a figure where pytest is told to (`-s`)."""
    sys.stdout.write(f"\n{figure}\n")


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def put_away(folder: Path) -> None:
    """Unmount what buildah leaves mounted, the innermost first, and free the disk."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed([one for one in places if one.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", place], check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    built = Image(folder)
    built.build()
    tell(f"image: {built.size_mb:.0f} MB")
    yield built
    for containers in ("umount", "rm"):
        built.buildah(containers, "--all")
    built.buildah("rmi", "--all", "--force")
    put_away(folder)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """As a new volume is: of the user of the image, which owns `/data` in it."""
    place = tmp_path / "data"
    place.mkdir(mode=0o700)
    os.chown(place, UID, UID)
    return place


class Container:
    """The image's own command, or other words behind its entry point, as process number one."""

    def __init__(self, image: Image, volume: Path, *words: str) -> None:
        started = [*image.config["Entrypoint"], *(words or image.config["Cmd"])]
        space = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation=private")
        enter = ("sh", "-ec", ENTER, "sh", str(image.root), str(volume))
        self.output = volume.with_name("output")
        with self.output.open("w") as output:
            self.outer = subprocess.Popen(
                [*space, *enter, *image.config["Env"], *started],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._pause = threading.Event()
        self.inner = self._inner()

    def _inner(self) -> psutil.Process:
        """Find the process itself, once it is what the image says."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            for child in psutil.Process(self.outer.pid).children():
                if child.uids().real == UID:
                    return child
            self._pause.wait(0.01)
        raise AssertionError("it never became nobody")

    def inside(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run something beside it, as `docker exec` does."""
        to = ("nsenter", "-t", str(self.inner.pid), "-m", "-p", "-r", "-w", "-S", str(UID))
        return subprocess.run(
            [*to, "-G", str(UID), *words], capture_output=True, text=True, check=False
        )

    def until(self, *words: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while self.inside(*words).returncode != 0:
            assert time.monotonic() < deadline, self.inside(*words).stdout
            assert self.outer.poll() is None, self.output.read_text()[-3000:]
            self._pause.wait(0.05)


@contextmanager
def running(image: Image, volume: Path, *words: str) -> Iterator[Container]:
    container = Container(image, volume, *words)
    try:
        yield container
    finally:
        container.outer.kill()
        container.outer.wait()


def test_the_image_says_what_it_is(image: Image) -> None:
    config = image.config
    assert (config["User"], config["WorkingDir"]) == (f"{UID}:{UID}", "/data")
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Volumes"] == {"/data": {}}
    assert not any("PIP" in one for one in config["Env"]), "nothing of the build"
    owned = [f for f in image.root.rglob("*") if f.lstat().st_uid == UID]
    assert owned == [image.root / "data"], "it can change nothing of itself"
    assert not list((image.root / "opt" / "watchkeeper").rglob("pip")), "nor install anything"


def test_it_runs_as_nobody_on_a_read_only_root_from_the_start_to_the_end(
    image: Image, volume: Path
) -> None:
    began = time.monotonic()
    health = image.config["Healthcheck"]["Test"][1:]
    with running(image, volume) as container:
        container.until(*health[:-1], "ready")
        tell(f"ready after {time.monotonic() - began:.1f} s")
        status = Path(f"/proc/{container.inner.pid}/status").read_text()
        assert f"Uid:\t{UID}\t{UID}\t{UID}\t{UID}" in status
        assert status.split("NSpid:")[1].splitlines()[0].split()[-1] == "1"
        assert container.inside(*health).returncode == 0
        for place in ("/x", "/opt/watchkeeper/x", "/usr/x"):
            assert "Read-only file system" in container.inside("touch", place).stderr
        assert container.inside("touch", "/tmp/x").returncode == 0

        asked = time.monotonic()
        container.inner.send_signal(signal.SIGTERM)
        code = container.outer.wait(GRACE_S)
        tell(f"ended {time.monotonic() - asked:.1f} s after SIGTERM, exit code {code}")
        assert code == 0
    (run_dir,) = (volume / "runs").iterdir()
    ended = json.loads((run_dir / "status.json").read_text())["ended"]
    assert (ended["exit_code"], ended["reason"]) == (0, "stopped by SIGTERM")
    assert {path.lstat().st_uid for path in volume.rglob("*")} == {UID}
    with running(image, volume, "audit", f"runs/{run_dir.name}") as container:
        assert container.outer.wait(LIMIT_S) == 0, container.output.read_text()[-3000:]


def test_a_dead_one_is_not_alive(image: Image, volume: Path) -> None:
    """The health check finds a process that is gone, in the volume that it has left."""
    with running(image, volume, "start", "--run-dir", "runs/x", "--max-events", "20") as first:
        assert first.outer.wait(LIMIT_S) == 0
    with running(image, volume, *image.config["Healthcheck"]["Test"][2:]) as probe:
        assert probe.outer.wait(LIMIT_S) == 1
