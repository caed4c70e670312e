"""The forms of the dashboard. They read values; whether a value will do, operations say."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet

from dashboard import option_fields
from hosting import queries, wire
from hosting.catalogue import CatalogueEntry
from hosting.errors import HostingError
from hosting.lifecycle.golden_requests import Sample
from hosting.lifecycle.specs import RevisionSpec
from hosting.lifecycle.validation import MOST_BODY_MB
from hosting.logs.reading import Filter
from hosting.models import HostedModel, Replica, Revision
from hosting.models.log import LogStream
from hosting.models.secret import SecretKind
from hosting.protocols import PROTOCOLS
from hosting.rates import LONGEST

PROTOCOL_WORDS = {
    "http": "Plain HTTP: any server, one path to POST to",
    "runway": "Runway Model SDK: one command, on port 9000",
    "cog": "Cog: POST /predictions, on port 5000",
    "openai": "OpenAI-compatible: chat, completions, embeddings",
    "oip": "Open Inference Protocol v2: KServe, Triton, MLServer",
}
# A protocol without words here is offered by its name.
PROTOCOL_CHOICES = sorted(
    ((name, PROTOCOL_WORDS.get(name, name)) for name in PROTOCOLS),
    key=lambda choice: [*PROTOCOL_WORDS, choice[0]].index(choice[0]),
)
WAKING_ROUTES = [
    ("query", "POST /v1/query"),
    ("status", "GET /v1, the status"),
    ("info", "GET /v1/info"),
    ("other", "Other paths, where the protocol has some"),
]
VISIBILITY_CHOICES = [
    ("private", "Private"),
    ("public", "Public"),
]


def _clock() -> forms.DateTimeInput:
    return forms.DateTimeInput(
        attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"
    )


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


def _rate_limit(help_text: str) -> forms.CharField:
    return forms.CharField(
        label="Most requests",
        max_length=LONGEST,
        required=False,
        help_text=help_text,
        widget=forms.TextInput(
            attrs={"placeholder": "10/second or 600/minute", "autocomplete": "off"}
        ),
    )


class RunsForm(PageForm):
    """What a revision runs: an entry of the catalogue, or an image of one's own."""

    image = forms.CharField(
        max_length=400,
        help_text="As you would give it to “docker pull”.",
        widget=forms.TextInput(
            attrs={"class": "mono", "placeholder": "registry.example.org/name:tag"}
        ),
    )
    protocol = forms.ChoiceField(
        choices=PROTOCOL_CHOICES, initial="http", help_text="What the server in the image speaks."
    )
    command = forms.CharField(
        max_length=100,
        required=False,
        help_text="The name the model's code gives it, such as generate_batch.",
        widget=forms.TextInput(attrs={"class": "mono"}),
    )
    port = forms.IntegerField(
        min_value=1, max_value=65535, required=False, help_text="Empty: the protocol's own."
    )
    query_path = forms.CharField(
        max_length=200, required=False, help_text="Where POST /v1/query goes. Empty: “/”."
    )
    health_path = forms.CharField(
        max_length=200,
        required=False,
        help_text="Answers 2xx once the model is loaded. Empty: an open port is enough.",
    )
    info_path = forms.CharField(
        max_length=200, required=False, help_text="Where GET /v1/info goes. May be empty."
    )
    memory_mb = forms.IntegerField(
        label="Memory in MiB", min_value=16, initial=512, help_text="More than that ends it."
    )
    cpus = forms.FloatField(label="CPUs", min_value=0.01, initial=1.0)
    gpus = forms.IntegerField(
        label="GPUs", min_value=0, initial=0, required=False, help_text="Whole ones, its own."
    )
    concurrency = forms.IntegerField(
        label="Requests at once",
        min_value=0,
        required=False,
        help_text="Others wait in line. 0: no limit. Empty: the protocol's own.",
    )
    internet = forms.BooleanField(
        required=False,
        label="May reach the internet",
        help_text="Else it reaches nothing. Other models and this host it never reaches.",
    )
    environment = forms.CharField(
        required=False,
        help_text="One NAME=value per line. The model's code can read them.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, entry: CatalogueEntry | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entry = entry
        if entry is not None:
            self._offer(entry)

    def options(self) -> list[forms.BoundField]:
        """The fields made from the entry's specs."""
        return [field for field in self if field.name.startswith(option_fields.PREFIX)]

    def clean_environment(self) -> dict[str, str]:
        """Read the lines; empty ones and comments are skipped."""
        lines = [line.strip() for line in self.cleaned_data["environment"].splitlines()]
        found = {}
        for line in lines:
            name, equals, value = line.partition("=")
            if line and not line.startswith("#"):
                if not equals:
                    raise forms.ValidationError(f"“{name}” has no value. Write {name}=value.")
                found[name.strip()] = value
        return found

    def spec(self) -> RevisionSpec:
        """What was chosen, as the operations take it."""
        data = self.cleaned_data
        entry = self.entry
        return RevisionSpec(
            image=entry.image if entry else data["image"].strip(),
            protocol=entry.protocol if entry else data["protocol"],
            port=None if entry else data["port"],
            health_path="" if entry else data["health_path"],
            query_path="" if entry else data["query_path"],
            info_path="" if entry else data["info_path"],
            command=data.get("command", entry.command if entry else "").strip(),
            options=option_fields.values(data),
            environment=data["environment"],
            memory_mb=data["memory_mb"],
            cpus=data["cpus"],
            gpus=data["gpus"] or 0,
            concurrency=data["concurrency"],
            internet=data["internet"],
        )

    def _offer(self, entry: CatalogueEntry) -> None:
        """Ask only what the entry leaves open."""
        for name in ("image", "protocol", "port", "query_path", "health_path", "info_path"):
            del self.fields[name]
        if len(entry.commands) < 2:
            del self.fields["command"]
        else:
            choices = [(each, each) for each in entry.commands]
            self.fields["command"] = forms.ChoiceField(
                choices=choices, initial=entry.command, help_text="What POST /v1/query runs."
            )
            self.fields["command"].widget.attrs["class"] = "input mono"
        for name, field in option_fields.fields(entry.options).items():
            if not isinstance(field.widget, forms.CheckboxInput):
                given = field.widget.attrs.get("class", "")
                field.widget.attrs["class"] = f"input {given}".strip()
            self.fields[name] = field
        self.initial = {
            "memory_mb": entry.resources.memory_mb,
            "cpus": f"{entry.resources.cpus:g}",
            "command": entry.command,
            **self.initial,
        }


class DeployForm(RunsForm):
    """A new revision, at once or as a canary first."""

    canary_share = forms.IntegerField(
        label="Try it first, in percent of the queries",
        min_value=0,
        max_value=100,
        required=False,
        help_text="Empty: it takes over as soon as it answers.",
    )


class CanaryForm(PageForm):
    """Which revision is tried, and with how much."""

    number = forms.TypedChoiceField(label="Revision", coerce=int)
    share = forms.IntegerField(
        label="Percent of the queries", min_value=0, max_value=100, initial=10
    )

    def __init__(self, *args: Any, model: HostedModel, **kwargs: Any) -> None:
        tried = queries.canary(model)
        if tried is not None:
            kwargs["initial"] = {"number": tried.revision.number, "share": tried.share}
        super().__init__(*args, **kwargs)
        others = queries.revisions(model).exclude(pk=model.revision_id or 0)
        self.revisions = [(each.number, str(each)) for each in others]
        self.fields["number"].choices = self.revisions  # type: ignore[attr-defined]


class GoldenForm(PageForm):
    """A kept sample: an input, and what is expected of the answer."""

    name = forms.CharField(max_length=80, help_text="What it shows, such as “greets back”.")
    input = forms.JSONField(
        label="Input, as JSON",
        help_text="The body of the query.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )
    expected_status = forms.IntegerField(
        label="Expected status", min_value=100, max_value=599, initial=200
    )
    timeout_seconds = forms.IntegerField(
        label="Within so many seconds", min_value=1, max_value=120, initial=30
    )
    expected_keys = forms.CharField(
        label="Fields the answer must have",
        required=False,
        help_text="Separated by commas.",
        widget=forms.TextInput(attrs={"class": "mono"}),
    )
    expected_output = forms.JSONField(
        label="The exact answer, as JSON",
        required=False,
        help_text="Empty: any answer with these fields will do.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
    )

    def sample(self) -> Sample:
        """What was typed, as the operations take it."""
        data = dict(self.cleaned_data)
        keys = [key.strip() for key in data.pop("expected_keys").split(",")]
        return Sample(expected_keys=[key for key in keys if key], **data)


class CreateForm(RunsForm):
    """A new model: what it runs, where it answers, who may call it."""

    subdomain = forms.CharField(
        max_length=40,
        label="Address",
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "class": "mono",
            }
        ),
    )
    visibility = forms.ChoiceField(
        choices=VISIBILITY_CHOICES, initial="private", widget=forms.RadioSelect
    )
    description = forms.CharField(
        max_length=200, required=False, help_text="A line for your team. Callers don't see it."
    )
    idle_timeout_seconds = forms.IntegerField(
        label="Falls asleep after so many quiet seconds",
        min_value=5,
        max_value=86400,
        help_text="300 are five minutes.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "idle_timeout_seconds": settings.IDLE_TIMEOUT_SECONDS,
            **kwargs.get("initial", {}),
        }
        super().__init__(*args, **kwargs)

    def clean_subdomain(self) -> str:
        """Names are written small; so is what people type."""
        return str(self.cleaned_data["subdomain"]).strip().lower()


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
    rate_limit = _rate_limit("Beyond it, requests wait up to a second, then get a 503.")
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


class TokenForm(PageForm):
    """A name for a new token, and what it may do."""

    label = forms.CharField(
        max_length=80,
        label="Name",
        help_text="Where it will be used, such as “website”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    rate_limit = _rate_limit("For calls with this token. Empty: as many as the model allows.")
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


class ApiKeyForm(PageForm):
    """A name for a new API key."""

    name = forms.CharField(
        max_length=80,
        help_text="Where it will be used, such as “deploy script”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


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


def revision_initial(revision: Revision) -> Mapping[str, Any]:
    """A revision as the form's first values."""
    names = ("image", "protocol", "command", "port", "query_path", "health_path", "info_path")
    initial = {name: getattr(revision, name) for name in names}
    initial |= {"memory_mb": revision.memory_mb, "cpus": f"{revision.cpus:g}"}
    initial["gpus"] = revision.gpus
    initial["concurrency"] = revision.concurrency
    initial["internet"] = revision.internet
    lines = [f"{name}={value}" for name, value in revision.environment.items()]
    initial["environment"] = "\n".join(lines)
    for name, value in revision.options.items():
        initial[option_fields.PREFIX + name] = value
    return initial
