"""The hosted models that are hurt: each echoes a query's marker and counts how often it ran."""

import itertools
from dataclasses import dataclass, field

from django.conf import settings
from django.utils import timezone

from accounts.models import Team
from hosting.lifecycle import operations
from hosting.lifecycle.specs import RevisionSpec
from hosting.models import HostedModel
from hosting.runtimes.docker_images import BASE_IMAGE

RAN = "ran "  # what a line of its log begins with; the marker follows
DEADLINE_SECONDS = 30

# A line in the log for each run, before the answer: there is what callers never heard.
SERVER = """
import collections, http.server, json, os, time
ran = collections.Counter()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *said):
        pass
    def do_GET(self):
        self.answer({})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        marker = asked["marker"]
        ran[marker] += 1
        os.write(1, b"ran %b\\n" % marker.encode())
        time.sleep(asked["seconds"])
        self.answer({"marker": marker, "count": ran[marker], "pad": marker * asked["pad"]})
    def answer(self, said):
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer
server.request_queue_size = 128
server(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""
_BROKEN = "raise SystemExit('this revision was never going to start')"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a model sleeps and how much of it there is."""

    concurrency: int
    replicas: int
    idle_seconds: int
    drowsy_seconds: int  # 0: stopped at once
    public: bool


_MANNERS = (
    Manner(concurrency=1, replicas=1, idle_seconds=1, drowsy_seconds=3, public=True),
    Manner(concurrency=2, replicas=3, idle_seconds=2, drowsy_seconds=10, public=False),
    Manner(concurrency=0, replicas=1, idle_seconds=1, drowsy_seconds=0, public=True),
    Manner(concurrency=4, replicas=2, idle_seconds=2, drowsy_seconds=1800, public=False),
)


@dataclass(slots=True)
class Subject:
    """A place for a model: deleted, another is made under the same name."""

    number: int
    model: HostedModel
    secret: str | None
    ids: set[int] = field(default_factory=set)  # of every model that was here
    _deploys: "itertools.count[int]" = field(default_factory=lambda: itertools.count(2))

    @property
    def name(self) -> str:
        """What it is called, whichever model it is now."""
        return f"faults-{self.number}"

    @property
    def host(self) -> str:
        """What its callers write as Host."""
        return f"{self.name}.{settings.BASE_DOMAIN}"

    def deploy(self, *, broken: bool) -> None:
        """A new revision, which answers as the one before it, or one that can't start.

        That only where another has served: nothing else is fallen back to.
        """
        if broken and not self.model.revisions.filter(admitted_at__isnull=False).exists():
            return
        server = _BROKEN if broken else SERVER
        revision = _revision(self.number, server=server, deploy=next(self._deploys))
        operations.deploy(self.model, revision=revision, created_by=None)

    def delete(self) -> None:
        """Delete it for good."""
        operations.delete_model(self.model, cause="benchmark", now=timezone.now())

    def replace(self) -> None:
        """Make another one under its name."""
        self.model, self.secret = _make(self.number)
        self.ids.add(self.model.pk)

    def switch(self, *, on: bool) -> None:
        """Switch it off, or on again."""
        if on:
            operations.activate(self.model)
        else:
            operations.deactivate(self.model, cause="benchmark", now=timezone.now())

    def forget_failures(self) -> None:
        """As if it had been well for long: not every death is to end in a longer pause."""
        HostedModel.objects.filter(pk=self.model.pk).update(failure_count=0)

    def sleep(self) -> None:
        """Put it to sleep as a person does."""
        operations.sleep(self.model, cause="benchmark", now=timezone.now())


def create(number: int) -> Subject:
    """One of several kinds, by its number."""
    model, secret = _make(number)
    return Subject(number, model, secret, {model.pk})


def _make(number: int) -> tuple[HostedModel, str | None]:
    team, _ = Team.objects.get_or_create(name="Faults")
    manner = _MANNERS[number % len(_MANNERS)]
    made = operations.create_model(
        team,
        subdomain=f"faults-{number}",
        revision=_revision(number, server=SERVER, deploy=1),
        public=manner.public,
    )
    operations.change_settings(
        made.model,
        deep_sleep_after_seconds=manner.drowsy_seconds,
        max_replicas=manner.replicas,
        request_timeout_seconds=DEADLINE_SECONDS,
    )
    # Shorter than people may choose: it is to fall asleep all the time.
    HostedModel.objects.filter(pk=made.model.pk).update(idle_timeout_seconds=manner.idle_seconds)
    return made.model, made.secret


def _revision(number: int, *, server: str, deploy: int) -> RevisionSpec:
    return RevisionSpec(
        image=BASE_IMAGE,
        protocol="http",
        health_path="/",
        environment={"DEPLOY": str(deploy)},
        arguments=["python3", "-c", server],
        memory_mb=64,
        cpus=0.5,
        concurrency=_MANNERS[number % len(_MANNERS)].concurrency,
    )
