"""What opens a model or the API, and what a model is given to open others."""

from typing import Any

from django import forms

from dashboard.forms.page import PageForm, rate_limit
from hosting import registries
from hosting.models.secret import SecretKind


class TokenForm(PageForm):
    """A name for a new token, and what it may do."""

    label = forms.CharField(
        max_length=80,
        label="Name",
        help_text="Where it will be used, such as “website”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    rate_limit = rate_limit("For calls with this token. Empty: as many as the model allows.")
    may_wake = forms.BooleanField(
        label="It may wake the model",
        required=False,
        initial=True,
        help_text="Off: it is answered while the model is awake, and gets a 503 while it sleeps.",
    )


class SecretInput(forms.Textarea):
    """A box that is never filled by us: what was typed does not come back with an error."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """An empty box."""
        return super().get_context(name, None, attrs)


class SecretForm(PageForm):
    """A secret: what it is called, what it holds, and how the model finds it."""

    name = forms.CharField(
        max_length=100,
        help_text="Such as HF_TOKEN, or key.pem for a file.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}
        ),
    )
    value = forms.CharField(
        strip=False,
        help_text="Nobody can read it here again, you included.",
        widget=SecretInput(
            attrs={"rows": 2, "class": "mono masked", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    kind = forms.ChoiceField(
        choices=SecretKind.choices,
        initial=SecretKind.FILE,
        label="The model finds it as",
        widget=forms.RadioSelect,
        help_text="A file is in the folder the variable DORMOUSE_SECRETS names, in memory, for the "
        "model alone. A variable is also seen by whoever may use the container engine.",
    )

    def clean_value(self) -> str:
        """With plain line ends: a box sends CRLF, with which a key is none."""
        return str(self.cleaned_data["value"]).replace("\r\n", "\n")


class PasswordBox(forms.PasswordInput):
    """For a password of another service: the browser keeps none, and offers none of ours."""

    def __init__(self) -> None:
        super().__init__(attrs={"autocomplete": "new-password", "spellcheck": "false"})


class RegistryLoginForm(PageForm):
    """Whom images of one registry are pulled as."""

    host = forms.CharField(
        max_length=255,
        label="Registry",
        help_text="As images name it, such as ghcr.io or registry.example.org:5000.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}
        ),
    )
    username = forms.CharField(
        max_length=registries.MOST_USERNAME,
        label="User name",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    password = forms.CharField(
        strip=False,
        label="Password or access token",
        help_text="Kept encrypted. Nobody can read it here again, you included.",
        widget=PasswordBox,
    )


class TeamNameForm(PageForm):
    """What a team is called."""

    name = forms.CharField(
        max_length=80,
        label="Name of the team",
        help_text="Pages and invoices show it. Addresses of models stay as they are.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )


class TeamLimitForm(PageForm):
    """What a team's models may hold at the same time."""

    memory_mb = forms.IntegerField(
        label="Memory in MiB", required=False, widget=forms.NumberInput(attrs={"min": 16})
    )
    cpus = forms.FloatField(
        label="CPUs", required=False, widget=forms.NumberInput(attrs={"min": 0.01, "step": "any"})
    )
    gpus = forms.IntegerField(
        label="GPUs", required=False, widget=forms.NumberInput(attrs={"min": 0})
    )


class ApiKeyForm(PageForm):
    """A name for a new API key."""

    name = forms.CharField(
        max_length=80,
        help_text="Where it will be used, such as “deploy script”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
