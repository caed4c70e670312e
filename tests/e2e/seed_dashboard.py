"""`python -m tests.e2e.seed_dashboard`: what the browser tests of the dashboard look at."""

from datetime import timedelta
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from accounts.models import Team
    from hosting.models import HostedModel

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"
LONG_NAME = "m" * 40  # as long as a subdomain may be, and nothing to break it at
KEYHOLDER = "grace@example.org"  # with the same password, for the tests of passkeys


def seed() -> None:
    """A team of two people with a sleeping model that was used, and one that failed."""
    from tests.factories import make_member, make_operator

    member = make_operator()
    member.user.email = EMAIL
    member.user.set_password(PASSWORD)
    member.user.save()
    keyholder = make_member(email=KEYHOLDER).user
    keyholder.set_password(PASSWORD)
    keyholder.save()
    make_member(team=member.team, role="viewer")
    _woken(_sleeping(member.team))
    _failed(member.team)
    _billed(member.team)
    _crowded(member.team)
    _named_at_length(member.team)


def _sleeping(team: "Team") -> "HostedModel":
    from django.utils import timezone

    from hosting.lifecycle.specs import catalogue_spec
    from hosting.models import Revision, UsageMinute
    from tests.factories import make_model

    owl = make_model(team, subdomain="owl", revision=catalogue_spec("echo")).model
    Revision.objects.filter(model=owl).update(
        info='{"inputs": [{"name": "text", "type": "text", "description": "Said back."},'
        ' {"name": "shout", "type": "boolean", "default": false}],'
        ' "outputs": [{"name": "text", "type": "text"}]}'
    )
    _tried(owl)
    now = timezone.now().replace(second=0, microsecond=0)
    UsageMinute.objects.bulk_create(
        UsageMinute(
            model_id=owl.pk,
            team_id=owl.team_id,
            minute=now - timedelta(minutes=ago),
            requests=ago % 11,
            errors=ago % 11 and ago % 3 == 0,
            cold=0,
            model_ms=10,
            held_ms=0,
        )
        for ago in range(1, 300, 7)
    )
    _write_log(owl)
    return owl


def _write_log(model: "HostedModel") -> None:
    from django.utils import timezone

    from hosting.models import LogLine, ReplicaLog

    assert model.revision is not None
    replica = model.replicas.create(revision=model.revision, status="gone", runtime="docker")
    said = [
        ("stdout", "Loading weights from /srv/weights.npz"),
        ("stderr", "UserWarning: the default of `clean` will change from False to True"),
        ("note", "12,345 lines were dropped here: it wrote faster than lines are kept."),
        ("stdout", "POST /generate 200 " + "x" * 300),
        ("stderr", "Traceback (most recent call last):\n  File <stdin>, line 1"),
        *[("stdout", f"POST /generate 200 in {n % 90 + 10} ms") for n in range(600)],
    ]
    ReplicaLog.objects.create(replica=replica, model=model, kept_bytes=100_000)
    LogLine.objects.bulk_create(
        LogLine(model=model, replica=replica, at=timezone.now(), stream=stream, text=text)
        for stream, text in said
    )


def _tried(model: "HostedModel") -> None:
    """A revision that was called off, one that is tried, and what they had to answer."""
    from django.utils import timezone

    from hosting.lifecycle import golden_requests, operations
    from hosting.lifecycle.golden_requests import Sample
    from hosting.lifecycle.specs import RevisionSpec
    from hosting.models import Revision

    bad = RevisionSpec(image="catalogue:echo", protocol="runway", command="echo", memory_mb=64)
    better = RevisionSpec(
        image="catalogue:echo",
        protocol="runway",
        command="echo",
        memory_mb=1024,
        environment={"GREETING": "hello"},
    )
    reason = "12 of its 40 requests failed; of r1's, 1 of 900 did."
    made = operations.deploy(model, revision=bad, created_by=None)
    operations.roll_back(model, number=1, by=None)
    Revision.objects.filter(pk=made.pk).update(rejected_at=timezone.now(), rejected_reason=reason)
    operations.deploy(model, revision=better, created_by=None, canary_share=10)
    sample = Sample("greets back", {"text": "hello"}, expected_keys=["text", "mood"])
    golden_requests.keep(model, sample, created_by=None)


def _woken(owl: "HostedModel") -> None:
    """Four wakes by different hands, one of them failed, and calls for the simulator."""
    from django.utils import timezone

    from hosting.lifecycle import wakes
    from hosting.metering import ledger
    from hosting.models import HostedModel, Wake
    from tests.database.conftest import make_event

    now = timezone.now()
    HostedModel.objects.filter(pk=owl.pk).update(created_at=now - timedelta(days=20))
    token = owl.tokens.get()
    request = {"cause": "request", "route": "query", "method": "POST", "address": "203.0.113.9"}
    for hours, seconds, said in (
        (30, 2.2, {**request, "token": token}),
        (9, 1.1, {"cause": "ada@example.org"}),
        (5, 3.4, {**request, "outcome": "failed", "reason": "Its container exited with code 3."}),
        (1, 1.4, {**request, "token": token}),
    ):
        asked = now - timedelta(hours=hours)
        share = timedelta(seconds=seconds) / 100
        Wake.objects.create(
            model=owl, revision=owl.revision, asked_at=asked, taken_at=asked + share,
            prepared_at=asked + 2 * share, started_at=asked + 30 * share,
            listening_at=asked + 55 * share, ended_at=asked + 100 * share,
            **{"outcome": "awake", **said},
        )  # fmt: skip
    assert owl.revision is not None
    wakes.learn(owl.revision)
    ledger.record(
        [make_event(owl, at=now - timedelta(hours=1), cold=True, held_ms=1_420, model_ms=240)]
        + [
            make_event(owl, at=now - timedelta(minutes=ago), model_ms=300)
            for ago in range(60, 20_000, 47)
        ]
    )


def _billed(team: "Team") -> None:
    """Seven weeks of requests, what they cost, and how it was paid."""
    from decimal import Decimal

    from django.utils import timezone

    from hosting import tokens
    from hosting.billing import books, budgets, credit_notes, credits, plans
    from hosting.billing.models import EntryKind, Invoice
    from hosting.metering import ledger
    from hosting.models import HostedModel
    from tests.database.conftest import make_event
    from tests.factories import make_purchase

    now = timezone.now()
    plans.set_profile(team, billed_to="Northlight GmbH\nHazel Lane 7\n20095 Hamburg")
    for seed, model in enumerate(HostedModel.objects.filter(team=team).order_by("pk")):
        token, _ = tokens.issue(model, label="website")
        for day in range(49):
            at = now - timedelta(days=day, minutes=7)
            ledger.record(
                [
                    make_event(
                        model,
                        at=at - timedelta(minutes=number),
                        token_id=token.pk if number % 3 else 0,
                        status=500 if number % 29 == 28 else 200,
                        outcome="model_error" if number % 29 == 28 else "ok",
                        cold=not number,
                        held_ms=900 if not number else 0,
                        model_ms=80 + number * 13 % 400,
                    )
                    for number in range((day * 7 + seed * 5) % 31 + 4)
                ]
            )
    credits.add(
        team, Decimal("50.00"), kind=EntryKind.PURCHASE, key="manual:1", now=now, memo="Payment 1"
    )
    credits.add(team, Decimal("5.00"), kind=EntryKind.GRANT, key="grant:1", now=now, memo="Welcome")
    make_purchase(team)
    budgets.set_budget(team, amount=Decimal("12.00"), stop=True, now=now)
    owl, badger = HostedModel.objects.filter(team=team).order_by("pk")
    budgets.set_budget(team, model=owl, amount=Decimal("15.00"), stop=False, now=now)
    for model, amount in ((owl, "4.00"), (badger, "1.00")):
        token = model.tokens.get(label="website")
        budgets.set_budget(team, token=token, amount=Decimal(amount), stop=True, now=now)
    _killed(owl)
    books.keep(now=now)
    invoice = Invoice.objects.order_by("-number")[0]
    credit_notes.credit(invoice, reason="An hour of errors", amount=Decimal("0.40"), now=now)
    books.prove(now=now, spool=None)


def _crowded(team: "Team") -> None:
    """Another team holds half of its limit, and a model of it waits; logins to registries."""
    from cryptography.fernet import Fernet
    from django.conf import settings

    from hosting.lifecycle.capacity import set_team_limit
    from hosting.models import HostedModel
    from tests.factories import make_login, make_member, make_model

    settings.SECRETS_KEYS = settings.SECRETS_KEYS or [Fernet.generate_key().decode()]
    make_login(team)
    other = make_member().team
    set_team_limit(team.pk, memory_mb=4096)
    set_team_limit(other.pk, memory_mb=1024, cpus=4)
    holds, waits = make_model(other).model, make_model(other).model
    assert holds.revision is not None
    holds.replicas.create(revision=holds.revision, status="starting", runtime="docker")
    HostedModel.objects.filter(pk=waits.pk).update(
        state="awakening", wait_reason="Its team has no 512 MiB of memory left of its limit."
    )


def _named_at_length(team: "Team") -> None:
    """A model, a token, a person and a team with names that have no space in them."""
    from django.utils import timezone

    from hosting import tokens
    from hosting.metering import ledger
    from tests.database.conftest import make_event
    from tests.factories import make_member, make_model

    model = make_model(team, subdomain=LONG_NAME).model
    token, _ = tokens.issue(model, label="t" * 60)
    ledger.record([make_event(model, at=timezone.now(), token_id=token.pk, model_ms=123_456)])
    make_member(team=team, role="viewer", email=f"{'p' * 48}@example.org")
    other = make_member().team
    other.name = "n" * 60
    other.save(update_fields=["name"])


def _killed(model: "HostedModel") -> None:
    """A router was killed: of three requests nobody knows the end, one was refunded."""
    from django.utils import timezone

    from hosting.models import RouterKill, SpoolSource, UnconfirmedRequest

    now = timezone.now()
    source = SpoolSource.objects.create(
        spool_id="0190b5a0-0000-7000-8000-000000000000",
        router="router-host-7-0",
        watermark=now,
        retired_at=now,
    )
    kill = RouterKill.objects.create(source=source, boot=3, found_at=now, connections=12)
    for number in range(3):
        UnconfirmedRequest.objects.create(
            request_id=f"0190b5a0-0000-7000-8000-00000000000{number}",
            kill=kill,
            team_id=model.team_id,
            model_id=model.pk,
            token_id=0,
            arrived_at=now - timedelta(minutes=3),
            status=200,
            counted=True,
            settled_at=None if number else now,
            refunded=0 if number else "0.01",
        )


def _failed(team: "Team") -> None:
    from hosting.models import HostedModel
    from tests.factories import make_model

    badger = make_model(team, subdomain="badger", public=True).model
    assert badger.revision is not None
    badger.replicas.create(
        revision=badger.revision,
        status="gone",
        runtime="docker",
        exit_code=1,
        last_log_lines="ModuleNotFoundError: No module named 'torch'\n" * 40,
    )
    HostedModel.objects.filter(pk=badger.pk).update(
        state="failed", failure_reason="Its container exited with code 1.", failure_count=1
    )


if __name__ == "__main__":
    django.setup()
    seed()
