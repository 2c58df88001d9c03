"""The manifests, rendered by kubectl without a cluster: valid, and as safe as they claim.

Each policy is held against every overlay, and then against a copy with a fault planted in it.
"""

import copy
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import policies
from tests.deploy.manifests import Check, Object, Objects, bot, kinds, pod, workload
from tests.deploy.network_policies import is_found_by_who_scrapes_it, talks_to_few
from tests.deploy.policies import POLICIES

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
KUBECTL = shutil.which("kubectl")
OVERLAYS = ("base", "overlays/paper", "overlays/live", "overlays/fleet", "overlays/ha")
FOREIGN = ("ServiceMonitor", "PrometheusRule")
"""Kinds of the Prometheus operator, of which Kubernetes has no schema."""
VERSION = "1.32"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl to render the manifests"),
]


@cache
def rendered_text(overlay: str) -> str:
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(KUBERNETES / overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower(), done.stderr
    return done.stdout


@cache
def parsed(overlay: str) -> list[Object]:
    return loaded(rendered_text(overlay))


def loaded(text: str) -> list[Object]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is there
    return list(yaml.load_all(text, loader))


def rendered(overlay: str) -> list[Object]:
    """Give the objects of an overlay, each time anew: a test may change them."""
    return copy.deepcopy(parsed(overlay))


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("check", POLICIES, ids=lambda check: check.__name__)
def test_every_overlay_keeps_every_policy(overlay: str, check: Check) -> None:
    assert check(rendered(overlay)) == []


# ---------------------------------------------------------------- planted faults

Fault = Callable[[list[Object]], object]


def deny(*path: str | int) -> Fault:
    """Take something out."""

    def plant(objects: list[Object]) -> None:
        *way, last = path
        place: Any = workload(objects)["spec"]["template"]["spec"]
        for step in way:
            place = place[step]
        del place[last]

    return plant


def put(*path: str | int, value: object) -> Fault:
    """Set something in the pod."""

    def plant(objects: list[Object]) -> None:
        *way, last = path
        place: Any = workload(objects)["spec"]["template"]["spec"]
        for step in way:
            place = place[step]
        place[last] = value

    return plant


def of_kind(kind: str, *path: str | int, value: object) -> Fault:
    """Set something in the object of a kind."""

    def plant(objects: list[Object]) -> None:
        *way, last = path
        place: Any
        (place,) = kinds(objects, kind)
        for step in way:
            place = place[step]
        place[last] = value

    return plant


def without(kind: str) -> Fault:
    def plant(objects: list[Object]) -> None:
        objects[:] = [one for one in objects if one["kind"] != kind]

    return plant


def with_secret(objects: list[Object]) -> None:
    objects.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}})


def as_deployment(objects: list[Object]) -> None:
    workload(objects)["kind"] = "Deployment"


def with_label_in_every_selector(objects: list[Object]) -> None:
    """What kustomize's `includeSelectors` does to the peers of a network policy."""
    (policy,) = kinds(objects, "NetworkPolicy")
    spec = policy["spec"]
    for peer in [*spec["ingress"][0]["from"], *spec["egress"][0]["to"]]:
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] = "watchkeeper"


def with_config(objects: list[Object]) -> None:
    data = policies.config_map(objects)["data"]
    data["bot.toml"] = data["bot.toml"].replace("[risk]", "[risk]\nmax_order_notionl = 1")


def waiting_for(seconds: str) -> Fault:
    """Let its start wait for so long."""

    def plant(objects: list[Object]) -> None:
        arguments = bot(objects)["args"]
        arguments[arguments.index("--wait-for-services") + 1] = seconds

    return plant


BOT = ("containers", 0)
EGRESS = ("spec", "egress")
FAULTS: list[tuple[Check, str, Fault]] = [
    (policies.runs_as_nobody_and_may_do_nothing, "live", deny("securityContext", "runAsNonRoot")),
    (
        policies.runs_as_nobody_and_may_do_nothing,
        "ha",
        put("securityContext", "runAsUser", value=0),
    ),
    (policies.runs_as_nobody_and_may_do_nothing, "live", deny("securityContext", "seccompProfile")),
    (
        policies.runs_as_nobody_and_may_do_nothing,
        "paper",
        put(*BOT, "securityContext", "readOnlyRootFilesystem", value=False),
    ),
    (
        policies.runs_as_nobody_and_may_do_nothing,
        "paper",
        put(*BOT, "securityContext", "capabilities", value={"drop": ["NET_RAW"]}),
    ),
    (policies.runs_as_nobody_and_may_do_nothing, "fleet", put("hostNetwork", value=True)),
    (
        policies.probes_ask_what_they_should,
        "live",
        put(*BOT, "livenessProbe", "httpGet", "path", value="/readyz"),
    ),
    (policies.probes_ask_what_they_should, "ha", deny(*BOT, "startupProbe")),
    (
        policies.probes_ask_what_they_should,
        "ha",
        put(*BOT, "startupProbe", "failureThreshold", value=3),
    ),
    (policies.waits_for_what_is_away, "live", waiting_for("0")),
    (policies.waits_for_what_is_away, "live", waiting_for("150")),
    (policies.waits_for_what_is_away, "ha", waiting_for("90")),
    (policies.is_given_time_to_drain, "live", put("terminationGracePeriodSeconds", value=45)),
    (policies.is_given_time_to_drain, "fleet", deny("terminationGracePeriodSeconds")),
    (policies.has_one_writer, "live", as_deployment),
    (policies.has_one_writer, "live", of_kind("StatefulSet", "spec", "replicas", value=2)),
    (
        policies.has_one_writer,
        "live",
        of_kind(
            "StatefulSet",
            "spec",
            "volumeClaimTemplates",
            0,
            "spec",
            "accessModes",
            value=["ReadWriteOnce"],
        ),
    ),
    (policies.has_one_writer, "ha", lambda objects: bot(objects)["args"].remove("--standby")),
    (policies.a_node_can_be_drained_but_not_all_at_once, "live", without("PodDisruptionBudget")),
    (
        policies.a_node_can_be_drained_but_not_all_at_once,
        "live",
        of_kind("PodDisruptionBudget", "spec", "maxUnavailable", value=0),
    ),
    (talks_to_few, "live", without("NetworkPolicy")),
    (talks_to_few, "live", with_label_in_every_selector),
    (
        talks_to_few,
        "live",
        of_kind("NetworkPolicy", "spec", "policyTypes", value=["Ingress"]),
    ),
    (talks_to_few, "paper", of_kind("NetworkPolicy", "spec", "egress", value=[{}])),
    (
        talks_to_few,
        "paper",
        of_kind("NetworkPolicy", *EGRESS, 1, "to", 0, "ipBlock", "except", value=["10.0.0.0/8"]),
    ),
    (talks_to_few, "ha", of_kind("NetworkPolicy", "spec", "ingress", 0, "from", value=[])),
    (policies.holds_no_secret_and_gets_each, "live", with_secret),
    (
        policies.holds_no_secret_and_gets_each,
        "live",
        lambda objects: bot(objects)["env"].append({"name": "BINANCE_KEY", "value": "abc"}),
    ),
    (policies.holds_no_secret_and_gets_each, "live", lambda objects: bot(objects)["env"].pop()),
    (policies.holds_no_secret_and_gets_each, "ha", lambda objects: bot(objects)["env"].pop()),
    (policies.asks_for_what_it_needs, "live", deny(*BOT, "resources", "limits", "memory")),
    (policies.asks_for_what_it_needs, "ha", put(*BOT, "resources", "limits", "cpu", value="1")),
    (policies.asks_the_cluster_for_nothing, "live", deny("automountServiceAccountToken")),
    (
        policies.asks_the_cluster_for_nothing,
        "live",
        of_kind("ServiceAccount", "automountServiceAccountToken", value=True),
    ),
    (
        policies.is_started_with_words_that_the_program_knows,
        "live",
        lambda objects: bot(objects)["args"].append("--enable-metric"),
    ),
    (policies.is_started_with_words_that_the_program_knows, "live", with_config),
    (
        policies.writes_only_where_it_may,
        "live",
        lambda objects: bot(objects)["args"].__setitem__(3, "/runs/bot"),
    ),
    (
        policies.writes_only_where_it_may,
        "ha",
        lambda objects: bot(objects)["volumeMounts"].pop(),
    ),
    (
        policies.runs_an_image_that_is_named_exactly,
        "live",
        put(*BOT, "image", value="registry.example:5000/watchkeeper"),
    ),
    (
        policies.runs_an_image_that_is_named_exactly,
        "live",
        put(*BOT, "image", value="watchkeeper:latest"),
    ),
    (
        is_found_by_who_scrapes_it,
        "live",
        of_kind("Service", "spec", "selector", value={"app": "watchkeeper"}),
    ),
    (
        is_found_by_who_scrapes_it,
        "paper",
        of_kind("ServiceMonitor", "spec", "endpoints", 0, "port", value="http"),
    ),
]


@pytest.mark.parametrize(
    ("check", "overlay", "plant"),
    FAULTS,
    ids=[f"{number}-{check.__name__}" for number, (check, *_) in enumerate(FAULTS)],
)
def test_a_policy_finds_the_fault_that_was_planted(
    check: Check, overlay: str, plant: Fault
) -> None:
    objects = rendered(f"overlays/{overlay}")

    plant(objects)

    assert check(objects), "the fault was not seen"


def test_every_policy_has_a_fault() -> None:
    assert {check for check, *_ in FAULTS} == set(POLICIES)


# ---------------------------------------------------------------- schemas


def schema_problems(objects: Objects) -> list[str]:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed"
    )
    found = []
    for one in objects:
        if one["kind"] in FOREIGN:
            continue
        try:
            validate.validate(one, VERSION, strict=True)
        except (validate.ValidationError, validate.SchemaNotFoundError) as error:
            found.append(f"{one['kind']}: {error}")
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_manifests_are_valid_to_the_letter(overlay: str) -> None:
    assert schema_problems(rendered(overlay)) == []


def test_a_misspelt_key_and_a_wrong_type_are_not_valid() -> None:
    objects = rendered("base")
    probe = bot(objects)["livenessProbe"]
    probe["periodSecond"] = probe.pop("periodSeconds")
    assert schema_problems(objects)

    objects = rendered("base")
    pod(objects)["terminationGracePeriodSeconds"] = "75 s"
    assert schema_problems(objects)


# ---------------------------------------------------------------- monitoring


def test_the_operators_rules_are_those_of_prometheus() -> None:
    plain = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text())
    for overlay in OVERLAYS[1:]:
        (rule,) = kinds(rendered(overlay), "PrometheusRule")
        assert rule["spec"] == plain


def test_the_consent_is_one_argument_and_in_no_overlay() -> None:
    for overlay in OVERLAYS:
        assert "--i-understand-live" not in bot(rendered(overlay))["args"]
    component = (KUBERNETES / "components" / "i-understand-live" / "kustomization.yaml").read_text()
    assert "value: --i-understand-live" in component


@pytest.mark.parametrize("overlay", ["live", "ha"])
def test_the_component_of_consent_says_the_word(tmp_path: Path, overlay: str) -> None:
    copied = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copied)
    file = copied / "overlays" / overlay / "kustomization.yaml"
    text = file.read_text()
    file.write_text(text.replace("  # - ../../components/i-", "  - ../../components/i-"))
    assert file.read_text() != text

    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(file.parent)], capture_output=True, text=True, check=True
    )

    assert bot(loaded(done.stdout))["args"][-1] == "--i-understand-live"
