"""What every form of the dashboard is made of."""

from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from rest_framework.exceptions import ParseError

from hosting.api import parsing
from hosting.errors import HostingError
from hosting.rates import LONGEST


class PageForm(forms.Form):
    """Gives every box its look, and puts what operations refuse beside the field it is about."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        for field in self.fields.values():
            boxes = (forms.CheckboxInput, forms.RadioSelect, forms.FileInput)
            if not isinstance(field.widget, boxes):
                given = field.widget.attrs.get("class", "")
                field.widget.attrs["class"] = f"input {given}".strip()

    def refuse(self, error: HostingError) -> None:
        """Show an operation's refusal."""
        known = error.field if error.field in self.fields else None
        self.add_error(known, error.message)


class JsonField(forms.JSONField):
    """JSON in a box. It takes what the API takes, and shows again what was typed."""

    def to_python(self, value: Any) -> Any:
        """Read it; depth and characters that the database refuses are wrong values."""
        try:
            read = super().to_python(value)
            parsing.refuse_unstorable(read)
        except ParseError as error:
            raise forms.ValidationError(str(error.detail)) from error
        except RecursionError as error:
            raise forms.ValidationError("The JSON is nested too deeply.") from error
        except ValueError as error:
            raise forms.ValidationError("A number is too long.") from error
        return read

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Not read a second time: it may be what can't be."""
        return data if data is None else InvalidJSONInput(data)


def rate_limit(help_text: str) -> forms.CharField:
    """A box for a rate, such as 10/second."""
    return forms.CharField(
        label="Most requests",
        max_length=LONGEST,
        required=False,
        help_text=help_text,
        widget=forms.TextInput(
            attrs={"placeholder": "10/second or 600/minute", "autocomplete": "off"}
        ),
    )
