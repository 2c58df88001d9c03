"""JSON schemas of our own types, in the words of draft 2020-12. Pure."""

from inspect import cleandoc
from typing import Any

import msgspec


def schema_of(title: str, types: tuple[type, ...]) -> dict[str, Any]:
    """Give the schema of a document that is one of these."""
    choices, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **(choices[0] if len(choices) == 1 else {"oneOf": list(choices)}),
        "$defs": {name: _told(one) for name, one in sorted(definitions.items())},
    }


def _told(definition: dict[str, Any]) -> dict[str, Any]:
    """Give its description without indentation, which only some versions of Python take away."""
    told = definition.get("description")
    return definition | ({"description": cleandoc(told)} if told else {})
