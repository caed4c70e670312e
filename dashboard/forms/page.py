"""What every form of the dashboard is made of."""

from typing import Any

from django import forms

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
