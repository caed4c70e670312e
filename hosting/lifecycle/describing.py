"""What a model takes and gives, known without waking it.

Found when a revision is made: in a label of its image, or by running the image once for its
manifest, without a network. A model that tells it itself is asked when it first answers, and what
it says is kept byte for byte.
"""

import http.client
import json
import logging
from contextlib import closing
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import F

from hosting import nudges, protocols, registries, route_table
from hosting.errors import HostingError, InvalidValue, RuntimeUnavailable
from hosting.lifecycle import builds
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Revision
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import ReplicaSpec, Resources

logger = logging.getLogger(__name__)

RUN_SECONDS = 60.0
ASK_SECONDS = 5.0
MOST_BYTES = 256 * 1024
MOST_REASON = 1000  # characters


def request(revision: Revision) -> None:
    """Have a worker find out, once the running transaction is committed, unless it is known."""
    protocol = protocols.get(revision.protocol)
    told = protocol.info_path(route_table.protocol_settings(revision)) or protocol.manifest_label
    if revision.info_heard or not told:
        return
    send = partial(nudges.send, settings.REDIS_URL, nudges.DESCRIBE, revision_id=revision.pk)
    transaction.on_commit(send)


def find_out(revision_id: int, *, tools: Tools) -> bool:
    """Ask a replica that is awake, else run the image once; whether something new was learned.

    Not knowing costs only that the model is woken for what could have been answered. Safe to
    repeat. Raises RuntimeUnavailable.
    """
    found = Revision.objects.select_related("model").filter(pk=revision_id, info_heard=False)
    revision = found.exclude(model__deleted_at__isnull=False).first()
    if revision is None:
        return False
    path = protocols.get(revision.protocol).info_path(route_table.protocol_settings(revision))
    ready = revision.replicas.filter(status=ReplicaStatus.READY).first()
    if path and ready is not None and ready.port is not None:
        heard = _ask(ready.host, ready.port, path)
        return heard is not None and _note(revision, heard, heard=True)
    read = None if revision.info else _read_manifest(revision, tools=tools)
    return read is not None and _note(revision, read, heard=False)


def _read_manifest(revision: Revision, *, tools: Tools) -> str | None:
    """What the image says; why it says nothing is kept for the owner."""
    protocol = protocols.get(revision.protocol)
    if not protocol.manifest_environment and not protocol.manifest_label:
        return None
    try:
        if not builds.is_ready(revision, runtime=tools.runtime, now=tools.clock.now()):
            return None  # the build asks again when it is done
        if protocol.manifest_label:
            manifest = tools.runtime.label_of(_spec(revision), protocol.manifest_label)
        else:
            manifest = tools.runtime.output_of(_spec(revision), seconds=RUN_SECONDS)
        info = protocol.info_in(manifest, route_table.protocol_settings(revision))
        if len(info) > MOST_BYTES:
            raise InvalidValue("What the image says of itself is too long.")
    except RuntimeUnavailable:
        raise
    except HostingError as error:
        logger.info("%s %s describes nothing: %s", revision.model, revision, error)
        reason = error.message[:MOST_REASON]
        Revision.objects.filter(pk=revision.pk).update(info_missing=reason)
        return None
    return info


def _spec(revision: Revision) -> ReplicaSpec:
    """As a replica is started, but to describe itself only: it gets no secrets."""
    protocol = protocols.get(revision.protocol)
    chosen = route_table.protocol_settings(revision)
    return ReplicaSpec(
        name=f"{settings.INSTALLATION}-d{revision.pk}",
        image=revision.image,
        port=chosen.port or protocol.default_port,
        environment={
            **revision.environment,
            **protocol.environment(chosen),
            **protocol.manifest_environment,
        },
        resources=Resources(memory_mb=revision.memory_mb, cpus=revision.cpus),
        arguments=revision.arguments,
        labels={"dormouse.describes": str(revision.pk)},
        port_variable=protocol.port_variable,
        login=registries.login_for(revision.image, team_id=revision.model.team_id),
        private=registries.is_private(revision.image),
    )


def _ask(host: str, port: int, path: str) -> str | None:
    """The JSON object that is there, as it came."""
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=ASK_SECONDS)) as connection:
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            body = answer.read(MOST_BYTES + 1)
        if answer.status != 200 or len(body) > MOST_BYTES:
            return None
        text = body.decode()
        return text if isinstance(json.loads(text), dict) else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None


def _note(revision: Revision, info: str, *, heard: bool) -> bool:
    """Write it down, and have the routers hear of it when it is new."""
    with transaction.atomic():
        row = Revision.objects.filter(pk=revision.pk)
        is_new = bool(row.exclude(info=info).update(info=info, info_missing=""))
        if heard:
            row.update(info_heard=True)
        if is_new:
            model = HostedModel.objects.filter(pk=revision.model_id)
            model.update(generation=F("generation") + 1)
            route_table.publish_on_commit(revision.model_id)
    return is_new
