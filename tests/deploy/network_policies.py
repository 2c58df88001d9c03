"""Whom a pod talks to, and who finds it."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from tests.deploy.manifests import Object, Objects, bot, kinds, labels, selects, selects_plain, told

METRICS_PORT, DNS, TLS, POSTGRES = 9464, 53, 443, 5432
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
"""Networks of clusters and homes, and where clouds hand out credentials."""


def talks_to_few(objects: Objects) -> list[str]:
    policies = [
        one["spec"]
        for one in kinds(objects, "NetworkPolicy")
        if selects(one["spec"]["podSelector"], labels(objects))
    ]
    if len(policies) != 1:
        return ["no NetworkPolicy is for this pod"]
    (spec,) = policies
    allowed = {DNS, TLS} | ({POSTGRES} if "postgres" in bot(objects)["args"] else set())
    return [
        *told((sorted(spec["policyTypes"]) == ["Egress", "Ingress"], "one way is not closed")),
        *_ingress(spec.get("ingress", []), labels(objects)),
        *_egress(spec.get("egress", []), allowed),
    ]


def _ingress(rules: Sequence[Object], own: Mapping[str, str]) -> Iterator[str]:
    if not rules:
        yield "nobody may scrape"
    for rule in rules:
        if ports_of(rule) != {METRICS_PORT}:
            yield f"others than the metrics may be asked for: {sorted(ports_of(rule))}"
        peers = rule.get("from", [])
        if not peers or not all(peer.get("podSelector", {}).get("matchLabels") for peer in peers):
            yield "anybody may ask"
        elif any(selects(peer["podSelector"], own) for peer in peers):
            yield "the scraper that is let in is the bot itself"


def _egress(rules: Sequence[Object], allowed: set[int]) -> Iterator[str]:
    reached = {port for rule in rules for port in ports_of(rule)}
    if reached != allowed:
        yield f"it reaches ports {sorted(reached)}, not {sorted(allowed)}"
    for rule in rules:
        peers = rule.get("to", [])
        if not peers:
            yield "one rule lets it talk to everybody"
        for peer in peers:
            block = peer.get("ipBlock")
            if block is not None and ip_network(block["cidr"]).version == 4:
                missing = [net for net in PRIVATE if not covered(net, block.get("except", ()))]
                if missing:
                    yield f"it reaches {', '.join(missing)}"
            if DNS in ports_of(rule) and not peer.get("podSelector", {}).get("matchLabels", {}).get(
                "k8s-app"
            ):
                yield "its names are not asked for at the cluster's DNS"
            if "app.kubernetes.io/name" in peer.get("podSelector", {}).get("matchLabels", {}) and (
                DNS in ports_of(rule)
            ):
                yield "a label was added to the DNS's selector, which then selects nothing"


def ports_of(rule: Mapping[str, Any]) -> set[int]:
    """Give a rule's ports; none at all is every port."""
    return {port["port"] for port in rule.get("ports", [])} or {0}


def covered(net: str, exceptions: Sequence[str]) -> bool:
    wanted = ip_network(net)
    return any(
        one.version == wanted.version and wanted.subnet_of(one)  # type: ignore[arg-type]  # of one version
        for one in map(ip_network, exceptions)
    )


def is_found_by_who_scrapes_it(objects: Objects) -> list[str]:
    named = {one["name"]: one["containerPort"] for one in bot(objects)["ports"]}
    services = [
        one
        for one in kinds(objects, "Service")
        if selects_plain(one["spec"].get("selector"), labels(objects))
    ]
    found = told(
        (named.get("metrics") == METRICS_PORT, "its port has no name"),
        (len(services) == 1, "no Service is for it"),
        (
            all(one["spec"].get("publishNotReadyAddresses") for one in services),
            "when it is halted nobody sees it any more",
        ),
    )
    for monitor in kinds(objects, "ServiceMonitor"):
        is_ours = any(
            selects(monitor["spec"]["selector"], one["metadata"]["labels"]) for one in services
        )
        ports = {port["name"] for one in services for port in one["spec"]["ports"]}
        asked = {one["port"] for one in monitor["spec"]["endpoints"]}
        found += told(
            (is_ours, "the ServiceMonitor finds no Service"), (asked <= ports, "no such port")
        )
    return found
