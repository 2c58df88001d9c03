"""What a run writes is what the published schemas say; they are those of the code."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.metrics import alert_line
from messages.alerts import AlertTold
from messages.ids import TimestampNs
from ops.metrics_schema import schemas

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"
REGENERATE = "python -m ops.metrics_schema docs/schemas"


@pytest.mark.skipif(
    tuple(map(int, msgspec.__version__.split(".")[:2])) < (0, 21),
    reason="an older msgspec says the same schema in other words",
)
@pytest.mark.parametrize("name", list(schemas()))
def test_the_published_schema_is_that_of_the_code(name: str) -> None:
    of_the_code = json.loads(json.dumps(schemas()[name]))
    assert json.loads((FOLDER / name).read_text()) == of_the_code, REGENERATE


@pytest.mark.parametrize("name", list(schemas()))
def test_it_is_a_schema(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


def test_an_alert_is_a_line_in_the_schema_and_one_without_its_sentence_is_not() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(schemas()["metrics_line.schema.json"])
    told = AlertTold(
        rule="gone",
        key="gone",
        state="firing",
        severity="critical",
        sentence="it ends",
        delivered=False,
        problem="no address is configured",
        ts_ns=TimestampNs(1),
    )
    line = json.loads(alert_line(told, 2))
    validator.validate(line)
    del line["sentence"]
    assert not validator.is_valid(line)


@pytest.mark.parametrize(
    "answer", [{}, {"verdict": "OK", "why": ""}, {"schema": 1, "verdict": "UNKNOWN", "why": ""}]
)
def test_what_is_no_health_does_not_pass(answer: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(schemas()["health.schema.json"])
    assert not validator.is_valid(answer)


@pytest.mark.parametrize("line", [{"kind": "message"}, {"kind": "stage", "stage": "nap"}, {}])
def test_what_is_no_line_does_not_pass(line: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(schemas()["metrics_line.schema.json"])
    assert not validator.is_valid({"schema": 2, "at_ns": 1, **line})
