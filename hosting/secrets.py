"""Secrets per model: set, removed, handed to a replica that starts, masked in what it writes.

A value goes in and is never shown again: only these functions open it.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Min, Q, QuerySet

from accounts.models import User
from hosting.errors import InvalidValue
from hosting.models import HostedModel, ModelSecret, Replica
from hosting.models.replica import ReplicaStatus
from hosting.models.secret import SecretKind
from hosting.sealing import Sealer

MOST_SECRETS = 50
MOST_CHARACTERS = 32_768
# The variables the protocols and the runtimes set themselves.
_RESERVED = re.compile(r"RW_.*|PORT|PATH|HOME|DORMOUSE_.*|LD_.*|PYTHON.*")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Given:
    """What a replica that starts now gets. Never printed."""

    variables: dict[str, str] = field(default_factory=dict, repr=False)
    files: dict[str, str] = field(default_factory=dict, repr=False)


def secrets_of(model: HostedModel) -> QuerySet[ModelSecret]:
    """The model's secrets by name, for lists: without what they hold."""
    current = ModelSecret.objects.filter(model=model, replaced_at=None)
    return current.select_related("changed_by").defer("sealed").order_by("name")


def last_change(model: HostedModel) -> datetime | None:
    """When a secret was set, replaced or removed last, as far as it matters to what runs."""
    found = ModelSecret.objects.filter(model=model)
    times = found.aggregate(set=Max("changed_at"), replaced=Max("replaced_at"))
    return max((each for each in times.values() if each is not None), default=None)


def find_secret(model: HostedModel, name: str) -> ModelSecret | None:
    """One of them."""
    return secrets_of(model).filter(name=name).first()


def put(
    model: HostedModel, name: str, *, value: str, kind: str, by: User | None, now: datetime
) -> ModelSecret:
    """Set a secret; replicas that start from now on get it.

    Raises InvalidValue, or SecretsUnavailable when this installation has no key.
    """
    _check(name, value=value, kind=kind)
    sealed = sealer().seal(value)
    with transaction.atomic():
        HostedModel.objects.select_for_update().get(pk=model.pk)  # one change at a time
        _replace(model, name, now=now)
        if secrets_of(model).count() >= MOST_SECRETS:
            raise InvalidValue(f"A model has {MOST_SECRETS} secrets at most.", field="name")
        return ModelSecret.objects.create(
            model=model, name=name, kind=kind, sealed=sealed, changed_at=now, changed_by=by
        )


def remove(secret: ModelSecret, *, now: datetime) -> None:
    """Take a secret away; replicas that start from now on do without."""
    with transaction.atomic():
        _replace(secret.model, secret.name, now=now)


def given(model: HostedModel) -> Given:
    """Open the model's secrets for a replica. Raises SecretsUnavailable."""
    found = Given()
    for secret in ModelSecret.objects.filter(model=model, replaced_at=None):
        into = found.files if secret.kind == SecretKind.FILE else found.variables
        into[secret.name] = sealer().open(secret.sealed)
    return found


def values(model_id: int) -> list[str]:
    """All a replica of this model may know, replaced ones included. Raises SecretsUnavailable."""
    sealed = ModelSecret.objects.filter(model_id=model_id).values_list("sealed", flat=True)
    return [sealer().open(each) for each in sealed]


def reseal_all() -> int:
    """Seal every secret with the first key, so that the others can be thrown away."""
    count = 0
    for pk in ModelSecret.objects.values_list("pk", flat=True):
        with transaction.atomic():
            secret = ModelSecret.objects.select_for_update().filter(pk=pk).first()
            if secret is not None:
                secret.sealed = sealer().reseal(secret.sealed)
                secret.save(update_fields=["sealed"])
                count += 1
    return count


def sealer() -> Sealer:
    """The one with this installation's keys."""
    return _sealer(tuple(settings.SECRETS_KEYS))


@cache
def _sealer(keys: tuple[str, ...]) -> Sealer:
    return Sealer(keys)


def _check(name: str, *, value: str, kind: str) -> None:
    if kind == SecretKind.VARIABLE:
        if not _VARIABLE.fullmatch(name):
            raise InvalidValue("A variable's name has A-Z, 0-9 and _ only.", field="name")
        if _RESERVED.fullmatch(name):
            raise InvalidValue(f"{name} is set by Dormouse. Choose another name.", field="name")
    elif kind != SecretKind.FILE:
        raise InvalidValue("A secret is a file or a variable.", field="kind")
    elif not _FILE.fullmatch(name):
        raise InvalidValue(
            "A file's name has letters, digits, dots, - and _ only, and starts with none of the "
            "last three but _.",
            field="name",
        )
    if not value or "\0" in value or len(value) > MOST_CHARACTERS:
        raise InvalidValue(
            f"Give 1 to {MOST_CHARACTERS:,} characters, no NUL among them.", field="value"
        )


def _replace(model: HostedModel, name: str, *, now: datetime) -> None:
    """Retire the value of this name, and forget those that no replica can know any more."""
    ModelSecret.objects.filter(model=model, name=name, replaced_at=None).update(replaced_at=now)
    there = Replica.objects.filter(model=model).exclude(status=ReplicaStatus.GONE)
    oldest = there.aggregate(oldest=Min("created_at"))["oldest"]
    unknown = Q() if oldest is None else Q(replaced_at__lt=oldest)
    ModelSecret.objects.filter(unknown, model=model, replaced_at__isnull=False).delete()
