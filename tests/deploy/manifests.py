"""What a policy looks at: rendered manifests, and the objects in them that are one bot's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Object = dict[str, Any]
Objects = Sequence[Object]
Check = Callable[[Objects], list[str]]

WORKLOADS = ("StatefulSet", "Deployment")


def kinds(objects: Objects, *names: str) -> list[Object]:
    return [one for one in objects if one["kind"] in names]


def workload(objects: Objects) -> Object:
    (found,) = kinds(objects, *WORKLOADS)
    return found


def pod(objects: Objects) -> Object:
    spec: Object = workload(objects)["spec"]["template"]["spec"]
    return spec


def bot(objects: Objects) -> Object:
    (container,) = pod(objects)["containers"]
    found: Object = container
    return found


def labels(objects: Objects) -> dict[str, str]:
    found: dict[str, str] = workload(objects)["spec"]["template"]["metadata"]["labels"]
    return found


def told(*checks: tuple[bool, str]) -> list[str]:
    """Give the sentences of what does not hold."""
    return [sentence for holds, sentence in checks if not holds]


def selects(selector: Mapping[str, Any], them: Mapping[str, str]) -> bool:
    return selects_plain(selector.get("matchLabels"), them)


def selects_plain(wanted: Mapping[str, str] | None, them: Mapping[str, str]) -> bool:
    return bool(wanted) and dict(wanted or {}).items() <= dict(them).items()
