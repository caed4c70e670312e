"""Issue and revoke endpoint tokens. Routers hear of both through the route."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from accounts import secrets
from accounts.models import User
from hosting import rates, route_table
from hosting.errors import InvalidValue
from hosting.models import EndpointToken, HostedModel

MOST_TOKENS = 50


@transaction.atomic
def issue(
    model: HostedModel,
    *,
    label: str,
    created_by: User | None = None,
    expires_at: datetime | None = None,
    rate_limit: str = "",
    may_wake: bool = True,
) -> tuple[EndpointToken, str]:
    """Issue a token; returns the row and the secret, which is never to be had again."""
    label = _named(label)
    _announce(model.pk)  # first, since it locks the model's row: two at once count each other's
    if model.tokens.filter(revoked_at=None).count() >= MOST_TOKENS:
        raise InvalidValue(f"A model has at most {MOST_TOKENS} tokens. Revoke one first.")
    secret = secrets.mint(secrets.Kind.ENDPOINT)
    token = EndpointToken.objects.create(
        model=model,
        label=label,
        digest=secrets.digest(secret),
        first_characters=secret[:8],
        last_characters=secret[-4:],
        created_by=created_by,
        expires_at=expires_at,
        rate_limit=rates.spelled(rate_limit),
        may_wake=may_wake,
    )
    return token, secret


@transaction.atomic
def change(
    token: EndpointToken,
    *,
    label: str | None = None,
    rate_limit: str | None = None,
    may_wake: bool | None = None,
) -> None:
    """Change what is given; None leaves it as it is. Raises InvalidValue.

    One that may not wake its model is served while the model is awake.
    """
    given: dict[str, str | bool] = {}
    if may_wake is not None:
        given["may_wake"] = may_wake
    if label is not None:
        given["label"] = _named(label)
    if rate_limit is not None:
        given["rate_limit"] = rates.spelled(rate_limit)
    if given:
        EndpointToken.objects.filter(pk=token.pk).update(**given)
        token.refresh_from_db()
        _announce(token.model_id)


@transaction.atomic
def revoke(token: EndpointToken, *, now: datetime) -> None:
    """Revoke for good. Calls with it fail as soon as the routers hear of it."""
    if EndpointToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        _announce(token.model_id)


def _named(label: str) -> str:
    label = label.strip()
    if not label or len(label) > 80:
        raise InvalidValue("Give the token a name of 1 to 80 characters.", field="label")
    return label


def _announce(model_id: int) -> None:
    HostedModel.objects.filter(pk=model_id).update(generation=F("generation") + 1)
    route_table.publish_on_commit(model_id)


def note_used(token_id: int, *, now: datetime) -> None:
    """Remember the last use. Written when it woke the model and when usage is shipped: never on
    the path of a request."""
    EndpointToken.objects.filter(pk=token_id).update(last_used_at=now)
