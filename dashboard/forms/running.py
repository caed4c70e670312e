"""What a model runs: hosting it, deploying, trying a revision beside the current one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.conf import settings

from dashboard import option_fields
from dashboard.forms.page import JsonField, PageForm
from hosting import queries
from hosting.catalogue import CatalogueEntry
from hosting.lifecycle.golden_requests import Sample
from hosting.lifecycle.specs import RevisionSpec
from hosting.models import HostedModel, Revision
from hosting.protocols import PROTOCOLS

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

# As the pages show the fields: what is wrong is listed in this order.
_ABOVE_OPTIONS = ("subdomain", "visibility", "image", "protocol", "command")
_BELOW_OPTIONS = (
    *("canary_share", "idle_timeout_seconds", "memory_mb", "cpus", "gpus", "concurrency"),
    *("port", "query_path", "health_path", "info_path", "internet", "environment", "description"),
)

VISIBILITY_CHOICES = [
    ("private", "Private"),
    ("public", "Public"),
]


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
    cpus = forms.FloatField(label="CPUs", min_value=0.01, initial=1)
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
        options = [field.name for field in self.options()]
        self.order_fields([*_ABOVE_OPTIONS, *options, *_BELOW_OPTIONS])

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

    def __init__(self, *args: Any, current: Revision | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current = current

    def spec(self) -> RevisionSpec:
        """What was chosen; what the API set and no box asks for stays as it is."""
        chosen, current = super().spec(), self.current
        if current is None or current.catalogue_slug != (self.entry and self.entry.slug):
            return chosen  # something else runs from now on
        kept = {
            name: value
            for name, value in current.options.items()
            if option_fields.PREFIX + name not in self.fields
        }
        options = {**kept, **chosen.options}
        return replace(chosen, options=options, arguments=current.arguments)


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
    input = JsonField(
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
    expected_output = JsonField(
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
