"""What models that sleep cost: the CPU of everything we run, and one round of the sweep."""

import os
import statistics
import time
from pathlib import Path

from django.conf import settings

from accounts.models import Team
from hosting import route_table
from hosting.lifecycle.sweep import sweep
from hosting.models import EndpointToken, HostedModel, Revision
from workers.tasks import tools

_SETTLE_SECONDS = 10.0
_ROUNDS = 20


def cpu_share(count: int, *, seconds: float) -> tuple[float, float]:
    """The share of one core that all our processes take, before and after so many are made."""
    time.sleep(_SETTLE_SECONDS)
    without = _share(seconds)
    _make(count)
    route_table.publish_all()  # by this process, which isn't measured: they are new only once
    time.sleep(_SETTLE_SECONDS)
    return without, _share(seconds)


def sweep_ms() -> float:
    """The median of some rounds in this process. Twice a minute, one compares the route table."""
    taken = []
    hands = tools()
    for _ in range(_ROUNDS):
        began = time.monotonic()
        sweep(tools=hands)
        taken.append((time.monotonic() - began) * 1000)
        time.sleep(0.1)
    return statistics.median(taken)


def _make(count: int) -> None:
    team, _ = Team.objects.get_or_create(name="Sleepers")
    models = HostedModel.objects.bulk_create(
        HostedModel(team=team, subdomain=f"sleeper-{number}", last_revision=1)
        for number in range(count)
    )
    revisions = Revision.objects.bulk_create(
        Revision(model=model, number=1, image="example.org/echo:1", protocol="http")
        for model in models
    )
    for model, revision in zip(models, revisions, strict=True):
        model.revision = revision
    HostedModel.objects.bulk_update(models, ["revision"])
    EndpointToken.objects.bulk_create(
        EndpointToken(model=model, digest=f"{model.pk:064x}", label="first") for model in models
    )


def _share(seconds: float) -> float:
    began, before = time.monotonic(), _ticks()
    time.sleep(seconds)
    after, passed = _ticks(), time.monotonic() - began
    used = sum(ticks - before.get(pid, 0) for pid, ticks in after.items())
    return used / os.sysconf("SC_CLK_TCK") / passed


def _ticks() -> dict[int, int]:
    """User and system time of every process of this installation, its servers included."""
    found = {}
    marker = str(settings.STATE_DIR).encode()
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            said = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            if pid != os.getpid() and (marker in said or _is_of_postgres(folder, marker)):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                found[pid] = int(fields[11]) + int(fields[12])
        except OSError:
            continue  # it ended meanwhile
    return found


def _is_of_postgres(folder: Path, marker: bytes) -> bool:
    """Its children overwrite their command line; they work in its folder."""
    return marker in os.fsencode(os.readlink(folder / "cwd"))
