"""The hosted model the benchmark wakes, and how it is brought to sleep again."""

import time
from collections.abc import Callable

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from accounts.models import Team
from hosting import nudges
from hosting.lifecycle import machine, operations
from hosting.models import HostedModel, Replica
from hosting.runtimes.docker_images import BASE_IMAGE
from hosting.states import Event, State

# As small as a server can be; it says when it began to listen, by the machine's one clock.
SERVER = """
import os, socket, threading, time
listener = socket.create_server(("0.0.0.0", int(os.environ["PORT"])), backlog=512)
body = ('{"ready_at": %.6f}' % time.time()).encode()
head = "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
def serve(connection):
    with connection:
        text = b""
        while True:
            while b"\\r\\n\\r\\n" not in text:
                part = connection.recv(65536)
                if not part:
                    return
                text += part
            start, _, text = text.partition(b"\\r\\n\\r\\n")
            length = next((int(line[15:]) for line in start.lower().split(b"\\r\\n")
                           if line.startswith(b"content-length:")), 0)
            while len(text) < length:
                text += connection.recv(65536)
            text = text[length:]
            connection.sendall((head % len(body)).encode() + body)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
MOST_SECONDS = 60.0


def create(number: int, *, concurrency: int = 0) -> HostedModel:
    """A public model that runs the server above in the plain base image."""
    team, _ = Team.objects.get_or_create(name="Benchmark")
    revision = operations.RevisionSpec(
        image=BASE_IMAGE,
        protocol="http",
        health_path="/",
        arguments=["python3", "-c", SERVER],
        memory_mb=64,
        concurrency=concurrency,
    )
    return operations.create_model(
        team, subdomain=f"bench-{number}", revision=revision, public=True
    ).model


def host(model: HostedModel) -> str:
    """What its callers write as Host."""
    return f"{model.subdomain}.{settings.BASE_DOMAIN}"


def replicas(model: HostedModel) -> int:
    """How many containers were ever started for the model."""
    return Replica.objects.filter(model=model).count()


def last_replica(model: HostedModel) -> Replica:
    """The newest one, with the times of its wake."""
    return Replica.objects.filter(model=model).latest("pk")


def begin_sleep(model: HostedModel, *, deep: bool) -> None:
    """Put it to sleep as a person does (`deep`), or as being idle does."""
    now = timezone.now()
    if deep:
        operations.sleep(model, cause="benchmark", now=now)
    else:
        machine.apply(model, Event.IDLE, now=now, cause="benchmark")


def sleep(model: HostedModel, *, deep: bool) -> None:
    """Put it to sleep and wait until its container is stopped, or paused."""
    begin_sleep(model, deep=deep)
    target = State.ASLEEP if deep else State.DROWSY
    hurry(model, until=lambda: _rests(model, target))
    time.sleep(0.2)  # what we sent to hurry it is done by then


def hurry(model: HostedModel, *, until: Callable[[], bool]) -> None:
    """Nudge until it is so: the sweep would do the same in its own time."""
    deadline = time.monotonic() + MOST_SECONDS
    while not until():
        if time.monotonic() > deadline:
            raise SystemExit(f"{model} is still {model.state} after {MOST_SECONDS:.0f} s")
        nudges.reconcile(settings.REDIS_URL, model_id=model.pk)
        time.sleep(0.1)
    close_old_connections()


def _rests(model: HostedModel, target: State) -> bool:
    model.refresh_from_db()
    busy = model.lease_until is not None
    running = model.replicas.exclude(status="gone").exists()
    return model.state == target and not busy and (target == State.DROWSY or not running)
