"""What the routers are told."""

from datetime import timedelta

import pytest
from django.db.models import F

from hosting import route_table, tokens, wire
from hosting.lifecycle import operations
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel
from tests.database.conftest import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


def published(subdomain):
    text = route_table.connection().hget(wire.ROUTES_KEY, subdomain)
    return None if text is None else wire.Route.from_json(text)


def test_a_late_writer_never_overwrites_a_newer_route(model):
    stale = route_table.build(model)
    HostedModel.objects.filter(pk=model.pk).update(generation=F("generation") + 1, public=True)
    route_table.publish(model.pk)

    route_table._send([stale])

    assert published(model.subdomain).public is True


def test_a_new_model_takes_over_a_name_from_a_deleted_one(model, host_model):
    HostedModel.objects.filter(pk=model.pk).update(generation=900)
    route_table.publish(model.pk)
    operations.delete_model(model, cause="ada", now=NOON)
    again = host_model(subdomain=model.subdomain)

    route_table.publish(again.pk)

    assert published(model.subdomain).model_id == again.pk


def test_a_deleted_model_leaves_the_table(model):
    route_table.publish(model.pk)
    operations.delete_model(model, cause="ada", now=NOON)

    route_table.publish(model.pk)

    assert published(model.subdomain) is None


def test_the_whole_table_drops_what_no_longer_exists(model):
    route_table.connection().hset(wire.ROUTES_KEY, "ghost", "{}")

    route_table.publish_all()

    assert published("ghost") is None
    assert published(model.subdomain) is not None


def test_only_what_is_behind_is_written_again(model):
    route_table.publish_all()
    assert route_table.publish_all() == 0

    HostedModel.objects.filter(pk=model.pk).update(generation=F("generation") + 1, public=True)

    assert route_table.publish_all() == 1
    assert published(model.subdomain).public


def test_a_route_that_vanished_alone_comes_back(model):
    route_table.publish_all()
    route_table.connection().hdel(wire.ROUTES_KEY, model.subdomain)

    assert route_table.publish_all() == 1
    assert published(model.subdomain) is not None


def test_only_an_awake_model_has_an_address(model, tools):
    asleep = route_table.build(model)
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    model.refresh_from_db()

    assert asleep.replicas == ()
    assert route_table.build(model).replicas[0].port == 40001


def test_a_revoked_token_leaves_the_route(model):
    token, _ = tokens.issue(model, label="site")

    tokens.revoke(token, now=NOON)
    model.refresh_from_db()

    assert token.digest not in route_table.build(model).token_digests


def test_an_expiring_token_says_when(model):
    token, _ = tokens.issue(model, label="site", expires_at=NOON + timedelta(days=1))

    route = route_table.build(model)

    assert route.token_expiries == {token.digest: (NOON + timedelta(days=1)).timestamp()}


def test_limits_are_in_the_route_only_where_there_are_some(model):
    free, _ = tokens.issue(model, label="free")
    slow, _ = tokens.issue(model, label="slow", rate_limit="1 per minute")
    operations.change_settings(model, rate_limit="10/s", max_body_mb=64)

    route = route_table.build(model)

    assert (model.rate_limit, slow.rate_limit) == ("10/second", "1/minute")
    assert route.rate == wire.Rate(10, 1)
    assert route.max_body_bytes == 64 << 20
    assert route.token_rates == {slow.digest: wire.Rate(1, 60)}
    assert free.digest in route.token_digests


def test_a_tokens_limit_can_be_changed_and_lifted(model):
    token, _ = tokens.issue(model, label="site", rate_limit="1/second")

    tokens.change(token, rate_limit="")
    tokens.change(token, label="shop")
    model.refresh_from_db()

    assert (token.label, token.rate_limit) == ("shop", "")
    assert route_table.build(model).token_rates == {}


def test_a_change_of_visibility_reaches_the_channel(model, django_capture_on_commit_callbacks):
    listener = route_table.connection().pubsub(ignore_subscribe_messages=True)
    listener.subscribe(wire.ROUTES_CHANNEL)
    listener.get_message(timeout=5)

    with django_capture_on_commit_callbacks(execute=True):
        operations.change_settings(model, public=True)

    message = listener.get_message(timeout=5)
    listener.close()
    assert wire.Route.from_json(message["data"]).public is True
