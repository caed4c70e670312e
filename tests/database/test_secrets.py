"""A secret goes to the model's replicas and nowhere else."""

import json

import pytest
from django.conf import settings as configured
from django.db import connection

from hosting import route_table, secrets
from hosting.errors import InvalidValue, SecretsUnavailable
from hosting.lifecycle import operations
from hosting.lifecycle.reconcile import reconcile
from hosting.logs import keeping
from hosting.models import LogLine, ModelSecret
from hosting.sealing import new_key
from tests.api_operations import send
from tests.database.conftest import NOON
from tests.factories import make_key, make_member, make_model

pytestmark = pytest.mark.django_db

PLANTED = "planted-s3cret/value+=="


@pytest.fixture
def put(model):
    def do(name="TOKEN", value=PLANTED, kind="variable", now=NOON):
        return secrets.put(model, name, value=value, kind=kind, by=None, now=now)

    return do


@pytest.fixture
def wake(model, tools, runtime, routes, clock):
    """Start a replica; returns what the runtime was told."""

    def do():
        operations.wake(model, cause="test", now=clock.advance(seconds=1))
        reconcile(model.pk, tools=tools)
        return runtime.specs[runtime.started[-1]]

    return do


def test_a_replica_gets_variables_and_files(put, wake):
    put()
    put("key.pem", "-----BEGIN-----", kind="file")

    spec = wake()

    assert spec.environment["TOKEN"] == PLANTED
    assert spec.files == {"key.pem": "-----BEGIN-----"}
    assert PLANTED not in repr(spec)


def test_a_key_that_was_typed_into_a_box_has_plain_line_ends(client):
    owner = make_member()
    model = make_model(owner.team).model
    client.force_login(owner.user)
    typed = {"name": "key.pem", "value": "-----BEGIN-----\r\nMII\r\n", "kind": "file"}

    client.post(f"/models/{model.subdomain}/secrets/set/", typed)

    assert secrets.given(model).files == {"key.pem": "-----BEGIN-----\nMII\n"}


def test_a_changed_secret_is_what_the_next_replica_gets(put, model, wake, tools, runtime, clock):
    put()
    wake()
    put(value="another", now=clock.now())
    operations.redeploy(model, created_by=None)

    reconcile(model.pk, tools=tools)

    assert runtime.specs[runtime.started[-1]].environment["TOKEN"] == "another"


def test_a_removed_secret_is_gone_for_the_next_replica(put, wake):
    secrets.remove(put(), now=NOON)

    assert "TOKEN" not in wake().environment


def test_what_a_model_prints_is_masked_also_with_the_secret_it_was_started_with(
    put, model, wake, runtime, clock
):
    put()
    wake()
    put(value="the-new-one", now=clock.now())
    runtime.write_log(runtime.started[0], f"old {PLANTED}\nnew the-new-one\n")

    keeping.collect(model.replicas.get(), runtime=runtime)

    assert [line.text for line in LogLine.objects.order_by("pk")] == ["old ••••••", "new ••••••"]


def test_an_old_value_is_forgotten_when_no_replica_knows_it(put):
    put()
    put(value="second")
    put(value="third")

    assert ModelSecret.objects.count() == 1


def test_a_planted_secret_is_in_no_table_no_log_and_not_in_redis(
    put, model, wake, runtime, tools, redis_client, caplog
):
    caplog.set_level("DEBUG")
    put()
    put("key.pem", PLANTED, kind="file")
    wake()
    runtime.write_log(runtime.started[0], f"my token is {PLANTED}\n")
    runtime.exit(runtime.started[0])
    reconcile(model.pk, tools=tools)
    route_table.publish_all()

    assert model.replicas.get().last_log_lines == "my token is ••••••\n"
    assert PLANTED not in everything_in_the_database()
    assert PLANTED not in everything_in(redis_client)
    assert PLANTED not in caplog.text


def test_no_answer_and_no_page_shows_it(put, model, client, wake):
    put()
    wake()
    member = make_member(team=model.team)
    _, key = make_key(member)
    client.force_login(member.user)
    of_model = f"/api/v1/models/{model.subdomain}"

    shown = [
        send(client, "GET", path, key=key).content.decode()
        for path in (f"{of_model}/secrets/", f"{of_model}/revisions/", of_model + "/")
    ]
    shown.append(send(client, "PUT", f"{of_model}/secrets/T", {"value": PLANTED}, key=key).text)
    shown += [
        client.get(f"/models/{model.subdomain}/{tab}/").text for tab in ("secrets", "settings")
    ]
    refused = client.post(
        f"/models/{model.subdomain}/secrets/set/", {"name": "a b", "value": PLANTED, "kind": "file"}
    )

    assert refused.status_code == 422
    assert "TOKEN" in shown[0]
    assert all(PLANTED not in each for each in (*shown, refused.text))
    assert PLANTED not in json.dumps(shown)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "lower"}, "name"),
        ({"name": "RW_PORT"}, "name"),
        ({"name": "PORT"}, "name"),
        ({"name": "../up", "kind": "file"}, "name"),
        ({"name": ".hidden", "kind": "file"}, "name"),
        ({"name": "a/b", "kind": "file"}, "name"),
        ({"value": ""}, "value"),
        ({"value": "a\0b"}, "value"),
        ({"value": "x" * 40_000}, "value"),
        ({"kind": "letter"}, "kind"),
    ],
)
def test_what_can_not_be_a_secret_is_named(put, fields, field):
    with pytest.raises(InvalidValue) as refused:
        put(**fields)

    assert refused.value.field == field
    assert not ModelSecret.objects.exists()


def test_a_model_has_only_so_many(put, monkeypatch):
    monkeypatch.setattr(secrets, "MOST_SECRETS", 2)
    put("A")
    put("B")
    put("B", "again")

    with pytest.raises(InvalidValue):
        put("C")


def test_keys_can_be_rotated_without_anybody_noticing(put, model, settings):
    put()
    old, new = configured.SECRETS_KEYS[0], new_key()
    settings.SECRETS_KEYS = [new, old]

    assert secrets.reseal_all() == 1

    settings.SECRETS_KEYS = [new]
    assert secrets.given(model).variables == {"TOKEN": PLANTED}


def test_an_installation_without_a_key_says_what_to_do(put, settings):
    settings.SECRETS_KEYS = []

    with pytest.raises(SecretsUnavailable, match="DORMOUSE_SECRETS_KEYS"):
        put()


def test_with_a_lost_key_a_model_fails_with_the_reason_and_its_log_is_withheld(
    put, model, wake, runtime, settings
):
    put()
    wake()
    settings.SECRETS_KEYS = [new_key()]
    runtime.write_log(runtime.started[0], f"{PLANTED}\n")

    keeping.collect(model.replicas.get(), runtime=runtime)

    assert LogLine.objects.get().text.startswith("(withheld")
    with pytest.raises(SecretsUnavailable, match="Set the secret again"):
        secrets.given(model)


def everything_in_the_database() -> str:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows)


def everything_in(redis_client) -> str:
    return "\n".join(
        str(redis_client.hgetall(key) if redis_client.type(key) == "hash" else key)
        for key in redis_client.keys("*")
    )
