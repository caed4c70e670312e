"""Whether a query's body fits what the model says it takes. Pure; the router asks it of sleepers.

A model that is awake judges for itself, so this refuses only what the declared inputs rule out:
what they leave open, or describe in words unknown here, is taken.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

Spec = Mapping[str, Any]
_LARGEST = 1e300
_TEXTS = frozenset({"image", "segmentation", "file", "directory"})  # as URIs, base64 or paths


class Misfit(NamedTuple):
    """The first value that can't be, and what was expected."""

    field: str | None
    expected: str

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.field}: {self.expected}" if self.field else self.expected


def read_specs(info: str | None, *, which: str = "inputs") -> list[Spec] | None:
    """The inputs, or outputs, in what answers /v1/info; None when it says nothing of them."""
    try:
        described = json.loads(info or "")
    except ValueError:
        return None
    inputs = described.get(which) if isinstance(described, dict) else None
    return inputs if are_specs(inputs) else None


def misfit_of(body: bytes, specs: Sequence[Spec]) -> Misfit | None:
    """What is wrong with a body, whatever it is called: only JSON objects are queries."""
    try:
        values = json.loads(body)
    except RecursionError:
        return None  # too deep for us; the model may know better
    except ValueError:
        return Misfit(None, "The body must be JSON.")
    if not isinstance(values, dict):
        return Misfit(None, "The body must be a JSON object, with a value per input.")
    return _first_misfit(values, specs)


def _first_misfit(
    values: Mapping[str, Any], specs: Sequence[Spec], *, of: str = ""
) -> Misfit | None:
    for spec in specs:
        name = str(spec["name"])
        value = values.get(name)
        if value is None:  # absent and null are one: both take the default
            needed = spec.get("default") is None and not spec.get("optional")
            if needed and _check_of(spec) is not None:
                return Misfit(of + name, f"It is missing. Expected {words(spec)}.")
            continue
        expected = _misfit(value, spec)
        if expected:
            return Misfit(of + name, f"Expected {expected}.")
        inner = spec.get("fields")
        if spec.get("type") == "object" and are_specs(inner):
            found = _first_misfit(value, inner, of=f"{of}{name}.")
            if found is not None:
                return found
    return None


def are_specs(specs: object) -> TypeGuard[list[Spec]]:
    """Whether each of them says what it is called."""
    return isinstance(specs, list) and all(map(_is_named, specs))


def _is_named(spec: object) -> bool:
    return isinstance(spec, dict) and isinstance(spec.get("name"), str)


def _misfit(value: Any, spec: Spec) -> str | None:
    """What was expected, when the value isn't that."""
    check = _check_of(spec)
    return None if check is None or check(value, spec) else words(spec)


def _check_of(spec: Spec) -> Callable[[Any, Spec], bool] | None:
    kind = spec.get("type")
    return _CHECKS.get(kind) if isinstance(kind, str) else None  # older models nest specs here


def words(spec: Spec) -> str:
    """What a field takes, for people: “a number, 0 to 1”."""
    kind = spec.get("type")
    if kind == "text":
        return "a text" + _between(spec, "minLength", "maxLength", " of ", " characters")
    if kind == "number":
        return "a number" + _between(spec, "min", "max", ", ", "")
    if kind == "boolean":
        return "true or false"
    if kind == "category":
        choices = spec.get("oneOf")
        return f"one of {', '.join(map(str, choices))}" if isinstance(choices, list) else "a choice"
    if kind == "vector":
        return f"a list of {spec.get('length')} numbers"
    if kind == "array":
        return "a list" + _between(spec, "minLength", "maxLength", " of ", " items")
    return _FIXED_WORDS.get(str(kind), "another value")


_FIXED_WORDS = {
    "image": "a picture as a data URI or base64",
    "segmentation": "a picture as a data URI or base64",
    "file": "the address of a file",
    "directory": "the address of an archive",
    "image_point": "[x, y]",
    "image_bounding_box": "[left, top, right, bottom]",
    "image_landmarks": "a list of [x, y]",
    "object": "an object with a value per field",
    "any": "any value",
}


def _between(spec: Spec, least: str, most: str, before: str, after: str) -> str:
    low, high = spec.get(least) or 0, spec.get(most)
    if high is not None:
        told = _are_numbers([low, high])
        return f"{before}{_written(low)} to {_written(high)}{after}" if told else ""
    if spec.get(least):
        return f"{before}at least {_written(low)}{after}" if _are_numbers([low]) else ""
    return ""


def _written(number: float) -> str:
    """JSON has whole numbers beyond any float."""
    return f"{number:g}" if abs(number) < _LARGEST else "very many"


def _is_text(value: Any, spec: Spec) -> bool:
    return isinstance(value, str) and _within(len(value), spec, "minLength", "maxLength")


def _is_string(value: Any, spec: Spec) -> bool:
    return isinstance(value, str)


def _is_number(value: Any, spec: Spec) -> bool:
    return _are_numbers([value]) and _within(value, spec, "min", "max")


def _is_boolean(value: Any, spec: Spec) -> bool:
    return value in (True, False)  # as the SDK asks it: 1 and 0 are taken


def _is_category(value: Any, spec: Spec) -> bool:
    choices = spec.get("oneOf")
    return not isinstance(choices, list) or value in choices


def _is_vector(value: Any, spec: Spec) -> bool:
    length = spec.get("length")
    return _are_numbers(value) and (not isinstance(length, int) or len(value) == length)


def _is_array(value: Any, spec: Spec) -> bool:
    if not isinstance(value, list) or not _within(len(value), spec, "minLength", "maxLength"):
        return False
    item = spec.get("itemType")
    return not isinstance(item, dict) or all(_misfit(each, item) is None for each in value)


def _is_point(value: Any, spec: Spec) -> bool:
    return _are_numbers(value) and len(value) == 2


def _is_box(value: Any, spec: Spec) -> bool:
    return _are_numbers(value) and len(value) == 4


def _are_points(value: Any, spec: Spec) -> bool:
    length = spec.get("length")
    points = isinstance(value, list) and all(_is_point(each, spec) for each in value)
    return points and (not isinstance(length, int) or len(value) == length)


def _is_object(value: Any, spec: Spec) -> bool:
    return isinstance(value, dict)


def _is_anything(value: Any, spec: Spec) -> bool:
    return True


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in values
    )


def _within(value: float, spec: Spec, least: str, most: str) -> bool:
    low, high = spec.get(least), spec.get(most)
    above = not _are_numbers([low]) or value >= low  # type: ignore[operator]
    return above and (not _are_numbers([high]) or value <= high)  # type: ignore[operator]


_CHECKS: dict[str, Callable[[Any, Spec], bool]] = {
    "text": _is_text,
    "number": _is_number,
    "boolean": _is_boolean,
    "category": _is_category,
    "vector": _is_vector,
    "array": _is_array,
    "image_point": _is_point,
    "image_bounding_box": _is_box,
    "image_landmarks": _are_points,
    "object": _is_object,
    "any": _is_anything,
    **dict.fromkeys(_TEXTS, _is_string),
}
