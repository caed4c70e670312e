"""Field specs of the Model SDK: how inputs, outputs and options describe and check themselves."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], Any]


class NotAllowed(Exception):
    """A value that can't be taken; answered with 400."""


class Field:
    """One named value: its spec as JSON, its default, the function that checks it."""

    def __init__(self, name: str, type: str, check: Check, *, default: Any = None, **more: Any):
        self.name = name
        self.default = default
        self._check = check
        self.spec = {"name": name, "type": type, "description": more.pop("description", None)}
        self.spec |= {key: value for key, value in more.items() if value is not None}
        if "default" in more or default is not None:
            self.spec["default"] = default

    def read(self, values: dict[str, Any]) -> Any:
        """The checked value, or the default where none was given."""
        value = values.get(self.name)
        if value is None:
            value = self.default
        if value is None:
            raise NotAllowed(f"Missing value: {self.name}.")
        try:
            return self._check(value)
        except (TypeError, ValueError) as error:
            raise NotAllowed(f"{self.name}: {error}") from None


def text(
    name: str,
    *,
    default: str = "",
    min_length: int = 0,
    max_length: int | None = None,
    description: str | None = None,
    required: bool = False,
) -> Field:
    """A string. `required`: an absent one is refused, though the spec says ""."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("write text between quotes")
        if len(value) < min_length or (max_length is not None and len(value) > max_length):
            raise ValueError(f"use {min_length} to {max_length} characters")
        return value

    more = {"minLength": min_length, "maxLength": max_length, "description": description}
    field = Field(name, "text", check, default=default, **more)
    if required:
        field.default = None
    return field


def number(
    name: str,
    *,
    default: float | None = None,
    min: float | None = None,
    max: float | None = None,
    step: float | None = None,
    description: str | None = None,
) -> Field:
    """A number within its bounds."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("write a number, without quotes")
        if (min is not None and value < min) or (max is not None and value > max):
            raise ValueError(f"use {min} to {max}")
        return value

    # The SDK takes the first of these that isn't zero: clients know defaults made this way.
    chosen = default or min or max or 0
    more = {"min": min, "max": max, "step": step, "description": description}
    return Field(name, "number", check, default=chosen, **more)


def boolean(name: str, *, default: bool = False, description: str | None = None) -> Field:
    """True or false, nothing that merely resembles them."""

    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError("use true or false")
        return value

    return Field(name, "boolean", check, default=default, description=description)


def category(
    name: str, *, one_of: list[str], default: str | None = None, description: str | None = None
) -> Field:
    """One of several words."""

    def check(value: Any) -> str:
        if value not in one_of:
            raise ValueError(f"use one of {', '.join(one_of)}")
        return value

    chosen = default or one_of[0]
    return Field(name, "category", check, default=chosen, oneOf=one_of, description=description)


def image(name: str, *, channels: int = 3, description: str | None = None) -> Field:
    """A data URI or bare base64 in; the model gets the bytes of the file."""

    def check(value: Any) -> bytes:
        if not isinstance(value, str):
            raise ValueError("send the picture as a data URI")
        try:
            return base64.b64decode(value.partition(",")[2] or value, validate=True)
        except binascii.Error:
            raise ValueError("this is not base64") from None

    form = "JPEG" if channels == 3 else "PNG"
    more = {"channels": channels, "defaultOutputFormat": form, "description": description}
    return Field(name, "image", check, **more)


def vector(name: str, *, length: int, description: str | None = None) -> Field:
    """A fixed number of numbers."""
    more = {"samplingMean": 0, "samplingStd": 1, "description": description}
    field = Field(name, "vector", list, length=length, **more)
    field.spec["default"] = None
    return field


def array(
    name: str,
    *,
    item: Field,
    min_length: int = 0,
    max_length: int | None = None,
    description: str | None = None,
) -> Field:
    """A list of one kind of value."""

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError("send a list")
        if len(value) < min_length or (max_length is not None and len(value) > max_length):
            raise ValueError(f"send {min_length} to {max_length} items")
        return [item.read({item.name: each}) for each in value]

    kind = {**item.spec, "name": f"{item.spec['type']}_array_item"}
    more = {"minLength": min_length, "maxLength": max_length, "description": description}
    return Field(name, "array", check, itemType=kind, **more)


def bounding_box(name: str, *, description: str | None = None) -> Field:
    """Left, top, right, bottom, each from 0 to 1."""
    return Field(name, "image_bounding_box", list, description=description)


def anything(name: str, *, default: Any = None, description: str | None = None) -> Field:
    """Any JSON."""
    return Field(name, "any", lambda value: value, default=default, description=description)
