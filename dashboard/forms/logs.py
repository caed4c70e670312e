"""Which lines of a log are shown."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from dashboard.forms.page import PageForm
from hosting.logs.reading import Filter
from hosting.models import Replica
from hosting.models.log import LogStream


def _clock() -> forms.DateTimeInput:
    return forms.DateTimeInput(
        attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"
    )


class ReplicaField(forms.ModelChoiceField[Replica]):
    """A choice of replicas, told apart by number and start."""

    def label_from_instance(self, obj: Replica) -> str:
        """The number the lines carry, and when it was started."""
        return f"r{obj.pk}, from {obj.created_at:%d %b %H:%M}"


class LogFilterForm(PageForm):
    """Which lines of a log; what can't be read is as if nothing was chosen."""

    replica = ReplicaField(Replica.objects.none(), required=False, empty_label="Every replica")
    stream = forms.ChoiceField(choices=[("", "Every stream"), *LogStream.choices], required=False)
    since = forms.DateTimeField(required=False, label="From (UTC)", widget=_clock())
    until = forms.DateTimeField(required=False, label="To (UTC)", widget=_clock())
    search = forms.CharField(
        required=False,
        max_length=200,
        label="Containing",
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )

    def __init__(self, data: Any, *, replicas: QuerySet[Replica]) -> None:
        super().__init__(data)
        field = self.fields["replica"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = replicas

    def chosen(self) -> Filter:
        """The lines that are wanted."""
        self.is_valid()
        data = self.cleaned_data
        replica = data.get("replica")
        return Filter(
            replica=replica.pk if replica else None,
            stream=data.get("stream", ""),
            since=data.get("since"),
            until=data.get("until"),
            search=data.get("search", ""),
        )

    def is_open_ended(self) -> bool:
        """Whether lines that are still to come may be among them."""
        return not self.errors and self.cleaned_data.get("until") is None

    def given(self) -> dict[str, str]:
        """What was chosen, as it stands in the address."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}
