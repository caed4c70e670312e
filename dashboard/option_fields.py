"""Form fields from field specs, as the catalogue and `/v1/info` give them."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from dashboard.forms.page import JsonField

PREFIX = "option-"
LONG_TEXT = 120


def fields(specs: Sequence[Mapping[str, Any]], *, prefix: str = PREFIX) -> dict[str, forms.Field]:
    """One form field per spec; a type we don't know becomes a JSON box, never an error."""
    return {prefix + str(spec["name"]): field(spec) for spec in specs}


def values(cleaned: Mapping[str, Any], *, prefix: str = PREFIX) -> dict[str, Any]:
    """The chosen values by the specs' names; what was left empty is left out."""
    return {
        name.removeprefix(prefix): value
        for name, value in cleaned.items()
        if name.startswith(prefix) and value not in (None, "")
    }


def field(spec: Mapping[str, Any]) -> forms.Field:
    """The field for one spec."""
    kind = spec.get("type")
    common: dict[str, Any] = {
        "label": spec["name"],
        "help_text": spec.get("description") or "",
        "required": False,
        "initial": spec.get("default"),
    }
    if kind == "number":
        return _number(spec, common)
    if kind == "boolean":
        return forms.BooleanField(**common)
    if kind == "category":
        choices = [(each, each) for each in spec.get("oneOf", ())]
        return forms.ChoiceField(choices=choices, **common)
    if kind in ("text", "file", "directory"):
        return _text(spec, common)
    return JsonField(widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}), **common)


def _number(spec: Mapping[str, Any], common: dict[str, Any]) -> forms.Field:
    low, high, step = spec.get("min"), spec.get("max"), spec.get("step")
    if low is not None and high is not None:
        reach = f"From {low:g} to {high:g}."
        common["help_text"] = f"{common['help_text']} {reach}".strip()
    whole = isinstance(step, int) or (step is None and isinstance(spec.get("default"), int))
    make = forms.IntegerField if whole else forms.FloatField
    return make(min_value=low, max_value=high, **common)


def _text(spec: Mapping[str, Any], common: dict[str, Any]) -> forms.Field:
    longest = spec.get("maxLength")
    is_long = longest is None or longest > LONG_TEXT
    if spec.get("type") == "text" and is_long:
        return forms.CharField(
            max_length=longest, widget=forms.Textarea(attrs={"rows": 3}), **common
        )
    return forms.CharField(max_length=longest, **common)
