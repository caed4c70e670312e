"""How a model behaves: its settings, who may wake it, the hours it is kept awake, its end."""

from typing import Any

from django import forms

from dashboard.forms.page import PageForm, rate_limit
from dashboard.forms.running import VISIBILITY_CHOICES
from hosting import wire
from hosting.lifecycle.validation import MOST_BODY_MB
from hosting.models import HostedModel

WAKING_ROUTES = [
    ("query", "POST /v1/query"),
    ("status", "GET /v1, the status"),
    ("info", "GET /v1/info"),
    ("other", "Other paths, where the protocol has some"),
]


class SettingsForm(PageForm):
    """A model's own settings."""

    visibility = forms.ChoiceField(choices=VISIBILITY_CHOICES, widget=forms.RadioSelect)
    description = forms.CharField(
        max_length=200, required=False, help_text="A line for your team. Callers don't see it."
    )
    idle_timeout_seconds = forms.IntegerField(
        label="Falls asleep after so many quiet seconds",
        min_value=5,
        max_value=86400,
        help_text="300 are five minutes.",
    )
    request_timeout_seconds = forms.IntegerField(
        label="A request may take, in seconds",
        min_value=1,
        max_value=3600,
        help_text="Waking included. After that the caller gets a 504.",
    )
    startup_timeout_seconds = forms.IntegerField(
        label="Waking up may take, in seconds",
        min_value=5,
        max_value=1800,
        help_text="Longer means it failed to wake.",
    )
    rate_limit = rate_limit("Beyond it, requests wait up to a second, then get a 503.")
    max_body_mb = forms.IntegerField(
        label="Largest request, in MiB",
        min_value=1,
        max_value=MOST_BODY_MB,
        help_text="Larger ones get a 413.",
    )

    @staticmethod
    def of(model: HostedModel) -> "SettingsForm":
        """The form as the model is now."""
        names = ("description", "idle_timeout_seconds", "request_timeout_seconds")
        initial: dict[str, Any] = {name: getattr(model, name) for name in names}
        initial["startup_timeout_seconds"] = model.startup_timeout_seconds
        initial["rate_limit"] = model.rate_limit
        initial["max_body_mb"] = model.max_body_mb
        initial["visibility"] = "public" if model.public else "private"
        return SettingsForm(initial=initial)


class WakingForm(PageForm):
    """Which requests may wake a model."""

    wake_routes = forms.MultipleChoiceField(
        label="Routes that may wake it",
        choices=WAKING_ROUTES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="A status that may not wake is still answered: “starting”.",
    )
    wake_methods = forms.MultipleChoiceField(
        label="Methods that may wake it",
        choices=[(each, each) for each in wire.METHODS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    wake_without_token = forms.BooleanField(
        label="Callers without a token may wake it",
        required=False,
        help_text="Matters while the model is public.",
    )

    @staticmethod
    def of(model: HostedModel) -> "WakingForm":
        """The form as the model is now."""
        names = ("wake_routes", "wake_methods", "wake_without_token")
        return WakingForm(initial={name: getattr(model, name) for name in names})


class WarmWindowsForm(PageForm):
    """Hours in which a model is kept awake."""

    warm_windows = forms.CharField(
        label="Hours",
        required=False,
        help_text="One per line, such as “Mon-Fri 08:00-18:00” or “daily 22:00-02:00”. "
        "Empty: it sleeps whenever it is quiet.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
    )
    time_zone = forms.CharField(
        label="Time zone",
        max_length=64,
        help_text="The hours follow its clocks through summer and winter.",
        widget=forms.TextInput(
            attrs={"class": "mono", "list": "time-zones", "spellcheck": "false"}
        ),
    )

    @staticmethod
    def of(model: HostedModel) -> "WarmWindowsForm":
        """The form as the model is now."""
        lines = "\n".join(model.warm_windows)
        return WarmWindowsForm(initial={"warm_windows": lines, "time_zone": model.time_zone})

    def clean_warm_windows(self) -> list[str]:
        """The lines; whether they are windows, the operation says."""
        return str(self.cleaned_data["warm_windows"]).splitlines()


class DeleteForm(PageForm):
    """The model's name, typed: deleting can't be undone."""

    typed = forms.CharField(label="Type the model's name", widget=forms.TextInput())

    def __init__(self, *args: Any, subdomain: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subdomain = subdomain
        self.fields["typed"].widget.attrs.update(autocomplete="off", spellcheck="false")

    def clean_typed(self) -> str:
        """Only the very name will do."""
        typed = str(self.cleaned_data["typed"]).strip()
        if typed != self.subdomain:
            raise forms.ValidationError(f"That is not “{self.subdomain}”. Type it exactly.")
        return typed
