"""What a Cog image takes and gives, out of the OpenAPI document it was built with. Pure.

The document is whatever an image's owner wrote into a label: nothing in it is taken for granted,
and what is not understood becomes a field of any value.
"""

import json
from collections.abc import Mapping
from typing import Any

from hosting.errors import InvalidValue

Schema = Mapping[str, Any]
_DEEPEST = 8  # of references and lists: a document may refer to itself
_SIZES = {"minLength": "minLength", "maxLength": "maxLength", "minimum": "min", "maximum": "max"}
_NO_DOCUMENT = "The image's label holds no OpenAPI document with an Input."


def info_of(document: str) -> str:
    """The JSON text that answers /v1/info. Raises InvalidValue when there is no `Input` in it."""
    try:
        schemas = _mapping(_mapping(json.loads(document), "components"), "schemas")
    except (ValueError, RecursionError) as error:
        raise InvalidValue(_NO_DOCUMENT) from error
    taken = schemas.get("Input")
    if not isinstance(taken, dict):
        raise InvalidValue(_NO_DOCUMENT)
    fields = _fields(taken, schemas)
    all_optional = all(each.get("optional") or "default" in each for each in fields)
    described = {
        "name": "predict",
        "description": _text(taken.get("description")),
        "inputs": [
            {
                "name": "input",
                "type": "object",
                "description": None,
                "fields": fields,
                **({"optional": True} if all_optional else {}),
            }
        ],
        "outputs": [_field("output", _mapping(schemas, "Output"), schemas)],
    }
    return json.dumps(described, sort_keys=True)


def _fields(taken: Schema, schemas: Schema) -> list[dict[str, Any]]:
    """In the order in which the code has them."""
    required = taken.get("required")
    needed = required if isinstance(required, list) else []
    found = [
        (_order(schema), name, schema)
        for name, schema in _mapping(taken, "properties").items()
        if isinstance(schema, dict)
    ]
    fields = []
    for _, name, schema in sorted(found, key=lambda each: each[:2]):
        field = _field(name, schema, schemas)
        if name not in needed:
            field["optional"] = True
        fields.append(field)
    return fields


def _field(name: str, schema: Schema, schemas: Schema, *, depth: int = 0) -> dict[str, Any]:
    whole = _resolved(schema, schemas, depth=depth)
    field: dict[str, Any] = {
        "name": name,
        "description": _text(schema.get("description")) or _text(whole.get("description")),
        **_typed(name, whole, schemas, depth=depth),
    }
    if whole.get("default") is not None:
        field["default"] = whole["default"]
    if whole.get("nullable") is True:
        field["optional"] = True
    return field


def _typed(name: str, schema: Schema, schemas: Schema, *, depth: int) -> dict[str, Any]:
    kind, choices = schema.get("type"), schema.get("enum")
    if isinstance(choices, list) and choices:
        return {"type": "category", "oneOf": choices}
    if kind == "string":
        at = schema.get("format")
        return {"type": "file"} if at == "uri" else {"type": "text", **_sizes(schema)}
    if kind in ("integer", "number"):
        return {"type": "number", **_sizes(schema), **({"step": 1} if kind == "integer" else {})}
    if kind == "boolean":
        return {"type": "boolean"}
    if kind == "array":
        items = schema.get("items")
        known = isinstance(items, dict) and depth < _DEEPEST
        item = _field(f"{name}_array_item", items, schemas, depth=depth + 1) if known else None  # type: ignore[arg-type]
        return {"type": "array", **({"itemType": item} if item else {})}
    return {"type": "any"}


def _sizes(schema: Schema) -> dict[str, float]:
    return {
        ours: schema[theirs]
        for theirs, ours in _SIZES.items()
        if isinstance(schema.get(theirs), int | float) and not isinstance(schema[theirs], bool)
    }


def _resolved(schema: Schema, schemas: Schema, *, depth: int) -> dict[str, Any]:
    """With what it refers to; what may also be null is the rest, and `nullable`."""
    whole = dict(schema)
    for _ in range(_DEEPEST - min(depth, _DEEPEST)):
        variants = [each for each in _list(whole.pop("anyOf", None)) if isinstance(each, dict)]
        rest = [each for each in variants if each.get("type") != "null"]
        if len(rest) < len(variants):
            whole["nullable"] = True
        parts = [*_list(whole.pop("allOf", None)), *(rest if len(rest) == 1 else [])]
        reference = whole.pop("$ref", None)
        if isinstance(reference, str):
            parts.append(schemas.get(reference.rpartition("/")[2]))
        known = [each for each in parts if isinstance(each, dict)]
        if not known:
            break
        for each in known:
            whole = {**each, **whole}
    return whole


def _order(schema: Schema) -> float:
    order = schema.get("x-order")
    return order if isinstance(order, int) and not isinstance(order, bool) else 10**6


def _mapping(of: object, name: str) -> dict[str, Any]:
    found = of.get(name) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
