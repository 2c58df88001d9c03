"""What must hold of rendered manifests, whatever else is in them: each policy finds its own faults.

A policy takes the objects and gives sentences about what is wrong; an empty list is a pass.
"""

import argparse
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from decisions.fleet_rules import Policy
from messages.errors import ConfigError
from ops.arguments import parser
from ops.config import load
from ops.fleet.config import load_fleet
from ops.live_venue import OPEN_LIMIT_S
from strategies import check_params
from tests.deploy.manifests import (
    Check,
    Object,
    Objects,
    bot,
    kinds,
    labels,
    pod,
    selects,
    told,
    workload,
)
from tests.deploy.network_policies import is_found_by_who_scrapes_it, talks_to_few

UID = 10001
MARGIN_S = 15


def config_map(objects: Objects) -> Object:
    (found,) = kinds(objects, "ConfigMap")
    return found


# ---------------------------------------------------------------- policies


def runs_as_nobody_and_may_do_nothing(objects: Objects) -> list[str]:
    spec, inner = pod(objects), bot(objects).get("securityContext", {})
    outer = spec.get("securityContext", {})
    return told(
        (outer.get("runAsNonRoot") is True, "the pod may run as root"),
        (outer.get("runAsUser") == UID, f"the pod does not run as {UID}"),
        (outer.get("fsGroup") == UID, "its volumes are not its group's"),
        (
            outer.get("seccompProfile") == {"type": "RuntimeDefault"},
            "system calls are not filtered",
        ),
        (inner.get("allowPrivilegeEscalation") is False, "it may gain rights"),
        (inner.get("readOnlyRootFilesystem") is True, "its root can be written"),
        (inner.get("capabilities") == {"drop": ["ALL"]}, "it keeps capabilities"),
        (not inner.get("privileged"), "it is privileged"),
        (
            not any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")),
            "it shares the node's namespaces",
        ),
        (
            not any("hostPath" in volume for volume in spec["volumes"]),
            "it mounts the node's disk",
        ),
    )


def probes_ask_what_they_should(objects: Objects) -> list[str]:
    """Liveness never depends on the exchange, and a slow start is no hang."""
    found = []
    for name, path in (("startup", "/startupz"), ("liveness", "/livez"), ("readiness", "/readyz")):
        probe = bot(objects).get(f"{name}Probe", {})
        asked = probe.get("httpGet", {})
        if asked != {"path": path, "port": "metrics"}:
            found.append(f"{name} asks {asked or 'nothing'} instead of {path}")
    startup = bot(objects).get("startupProbe", {})
    allowed_s = startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3)
    # The term of another's lease, and the time the gate gives an exchange to answer.
    return found + told((allowed_s >= 120, f"a start may take {allowed_s} s only"))


def waits_for_what_is_away(objects: Objects) -> list[str]:
    """And not for longer than it is let: while it waits, nothing answers a probe.

    One that stood by has answered before; an orchestrator waits by itself.
    """
    arguments = bot(objects)["args"]
    words = parser(arguments).parse_args(arguments)
    if words.command != "start":
        return []
    wait_s = words.wait_for_services or 0
    name, try_s = ("liveness", 0) if words.standby else ("startup", OPEN_LIMIT_S)
    probe = bot(objects).get(f"{name}Probe", {})
    allowed_s = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
    return told(
        (wait_s > 0, "a network that comes up a moment later ends it"),
        (wait_s + try_s <= allowed_s, f"it would be killed in waiting, after {allowed_s} s"),
    )


def is_given_time_to_drain(objects: Objects) -> list[str]:
    drain_s = Policy().drain_s
    text = config_map(objects)["data"].get("fleet.toml")
    if text is not None:
        drain_s = tomllib.loads(text).get("drain_s", drain_s)
    given = pod(objects).get("terminationGracePeriodSeconds", 30)
    return told((given >= drain_s + MARGIN_S, f"{given} s are too few for a drain of {drain_s} s"))


def has_one_writer(objects: Objects) -> list[str]:
    """Two pods on one SQLite file are what this is all about; on PostgreSQL the lease decides."""
    found, arguments = workload(objects), bot(objects)["args"]
    if "postgres" in arguments:
        return told(
            (found["kind"] == "Deployment", "PostgreSQL's bots are a Deployment"),
            ("--standby" in arguments, "the second one would not wait"),
            (found["spec"].get("replicas", 1) > 1, "nobody stands by"),
        )
    claims = found["spec"].get("volumeClaimTemplates", [])
    modes = [claim["spec"]["accessModes"] for claim in claims]
    return told(
        (found["kind"] == "StatefulSet", "a Deployment starts the new pod before the old is gone"),
        (found["spec"].get("replicas") == 1, "more than one pod"),
        (modes == [["ReadWriteOncePod"]], f"the ledger's volume may have other users: {modes}"),
    )


def a_node_can_be_drained_but_not_all_at_once(objects: Objects) -> list[str]:
    budgets = kinds(objects, "PodDisruptionBudget")
    fitting = [b for b in budgets if selects(b["spec"]["selector"], labels(objects))]
    return told(
        (len(fitting) == 1, "no PodDisruptionBudget is for this pod"),
        (all(b["spec"].get("maxUnavailable") == 1 for b in fitting), "it is not one at a time"),
    )


def holds_no_secret_and_gets_each(objects: Objects) -> list[str]:
    given = {one["name"]: one for one in bot(objects).get("env", [])}
    wanted = set()
    for name, text in config_map(objects)["data"].items():
        if name.endswith(".toml"):
            wanted |= set(variables_in(tomllib.loads(text)))
    arguments = bot(objects)["args"]
    if "--database-url-env" in arguments:
        wanted.add(arguments[arguments.index("--database-url-env") + 1])
    lacking = {name for name in wanted if not {name, f"{name}_FILE"} & given.keys()}
    mounts = [m["mountPath"] for m in bot(objects)["volumeMounts"] if m["name"] == "secrets"]
    files = [one["value"] for name, one in given.items() if name.endswith("_FILE")]
    literal = [n for n, one in given.items() if "value" in one and not n.endswith("_FILE")]
    return told(
        (not kinds(objects, "Secret"), "a Secret stands in the repository"),
        (not lacking, f"nobody gives it {sorted(lacking)}"),
        (not literal, f"values stand in the manifest: {literal}"),
        (
            all(any(path.startswith(f"{m}/") for m in mounts) for path in files),
            "a secret's file is in no mounted Secret",
        ),
    )


def variables_in(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from variables_in(value)
        elif isinstance(value, list):
            for one in value:
                yield from variables_in(one) if isinstance(one, Mapping) else ()
        elif key.endswith("_env"):
            yield str(value)


def asks_for_what_it_needs(objects: Objects) -> list[str]:
    resources = bot(objects).get("resources", {})
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    return told(
        ({"cpu", "memory"} <= requests.keys(), "it requests too little to be placed well"),
        ("memory" in limits, "its memory has no bound"),
        ("cpu" not in limits, "its CPU is throttled: its orders would be late"),
    )


def asks_the_cluster_for_nothing(objects: Objects) -> list[str]:
    accounts = {one["metadata"]["name"]: one for one in kinds(objects, "ServiceAccount")}
    account = accounts.get(pod(objects).get("serviceAccountName", "default"), {})
    return told(
        (account.get("automountServiceAccountToken") is False, "its account has a token"),
        (pod(objects).get("automountServiceAccountToken") is False, "the token is mounted"),
        (
            not kinds(objects, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"),
            "it has rights in the cluster",
        ),
    )


def is_started_with_words_that_the_program_knows(objects: Objects) -> list[str]:
    words = bot(objects)["args"]
    try:
        found = parser(words).parse_args(words)
    except SystemExit:
        return [f"the program does not know {' '.join(words)}"]
    return _configuration(objects, found)


def _configuration(objects: Objects, words: argparse.Namespace) -> list[str]:
    """Hold the files that it is started with, as the ConfigMap has them, against the program."""
    file = words.fleet if words.command == "orchestrate" else words.config
    mounts = {m["mountPath"] for m in bot(objects)["volumeMounts"] if m["name"] == "config"}
    data = config_map(objects)["data"]
    if str(file.parent) not in mounts or file.name not in data:
        return [f"{file} is not in its ConfigMap"]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in data.items():
            (Path(folder) / name).write_text(text)
        bots = [name for name in data if name != "fleet.toml"]
        try:
            if words.command == "orchestrate":
                load_fleet(Path(folder) / file.name)
            for name in bots:
                load(Path(folder) / name, {}, check_params)
        except ConfigError as error:
            return error.problems
    return []


def writes_only_where_it_may(objects: Objects) -> list[str]:
    """Its root is read-only: what it writes must lie on a volume."""
    mounts = {m["name"]: m for m in bot(objects)["volumeMounts"]}
    arguments = bot(objects)["args"]
    text = config_map(objects)["data"].get("fleet.toml")
    written = (
        tomllib.loads(text)["run_dir"] if text else arguments[arguments.index("--run-dir") + 1]
    )
    place = mounts.get("data", {}).get("mountPath", "?")
    return told(
        (written.startswith(f"{place}/"), f"{written} is on no volume"),
        (not mounts.get("data", {}).get("readOnly"), "its volume is read-only"),
        (mounts.get("tmp", {}).get("mountPath") == "/tmp", "it has no /tmp"),
        (mounts["config"].get("readOnly") is True, "it could change its configuration"),
        (mounts["secrets"].get("readOnly") is True, "it could change its secrets"),
    )


def runs_an_image_that_is_named_exactly(objects: Objects) -> list[str]:
    image = bot(objects)["image"]
    tag = image.rpartition("/")[2].partition(":")[2]
    pinned = "@sha256:" in image or tag not in ("", "latest")
    return told((pinned, f"{image} may be another one tomorrow"))


POLICIES: tuple[Check, ...] = (
    runs_as_nobody_and_may_do_nothing,
    probes_ask_what_they_should,
    waits_for_what_is_away,
    is_given_time_to_drain,
    has_one_writer,
    a_node_can_be_drained_but_not_all_at_once,
    talks_to_few,
    holds_no_secret_and_gets_each,
    asks_for_what_it_needs,
    asks_the_cluster_for_nothing,
    is_started_with_words_that_the_program_knows,
    writes_only_where_it_may,
    runs_an_image_that_is_named_exactly,
    is_found_by_who_scrapes_it,
)
