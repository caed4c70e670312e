"""A secret is shown once: afterwards it is in no table, no log line and no Redis key."""

import logging

import pytest
from django.db import connection

from tests.api_operations import send
from tests.factories import make_key, make_member, make_model

pytestmark = pytest.mark.usefixtures("db", "routes")


@pytest.fixture
def secrets(client, caplog, django_capture_on_commit_callbacks):
    """An endpoint token and an API key, issued over the API and used once."""
    caplog.set_level(logging.DEBUG)
    member = make_member()
    make_model(member.team, subdomain="owl")
    key = make_key(member)[1]
    with django_capture_on_commit_callbacks(execute=True):
        token = send(client, "POST", "/api/v1/models/owl/tokens/", {"label": "x"}, key=key).json()
        issued = send(client, "POST", "/api/v1/api-keys/", {"name": "x"}, key=key).json()
    send(client, "GET", "/api/v1/me/", key=issued["secret"])
    send(client, "GET", "/api/v1/me/", key=token["secret"])
    send(client, "GET", "/api/v1/nothing/", key=issued["secret"])
    return [token["secret"], issued["secret"]]


def test_no_table_holds_a_secret(secrets):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(
            " UNION ALL ".join(f'SELECT each::text FROM "{name}" AS each' for name in tables)
        )
        dump = "\n".join(row for (row,) in cursor.fetchall())

    assert "owl" in dump
    assert not [secret for secret in secrets if secret[8:-4] in dump]


def test_no_log_line_holds_a_secret(secrets, caplog):
    assert not [secret for secret in secrets if secret[8:-4] in caplog.text]


def test_redis_holds_the_digest_and_no_secret(secrets, redis_client):
    dump = str([_value(redis_client, key) for key in redis_client.scan_iter()])

    assert "owl" in dump
    assert not [secret for secret in secrets if secret[8:-4] in dump]


def test_answers_are_not_to_be_kept(client):
    key = make_key(make_member())[1]

    answers = [send(client, "GET", f"/api/v1/{path}/", key=key) for path in ("me", "models/owl")]

    assert [each["Cache-Control"] for each in answers] == ["no-store", "no-store"]


def _value(redis_client, key):
    read = {
        "hash": redis_client.hgetall,
        "list": lambda name: redis_client.lrange(name, 0, -1),
        "set": redis_client.smembers,
        "string": redis_client.get,
    }
    return read[redis_client.type(key)](key)
