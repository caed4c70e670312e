"""What a router is told when it asks, because Redis is away."""

import pytest
from django.conf import settings
from django.db.models import F

from hosting import route_table, wire
from hosting.lifecycle import operations
from hosting.models import HostedModel
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db
PROOF = {"Authorization": f"Bearer {wire.inquiry_proof(settings.SECRET_KEY)}"}


def ask(client, known, **more):
    options = {"headers": PROOF, "HTTP_HOST": wire.INQUIRY_HOST} | more
    return client.post(wire.INQUIRY_PATH, known, content_type="application/json", **options)


def test_a_router_is_told_what_it_lacks_and_what_is_newer(client, host_model):
    same, newer, new = (host_model(subdomain=name) for name in ("same", "newer", "new"))
    known = {each.pk: each.generation for each in (same, newer)}
    HostedModel.objects.filter(pk=newer.pk).update(generation=F("generation") + 1, public=True)

    said = ask(client, known).json()

    told = {each.subdomain: each for each in map(wire.Route.of, said["routes"])}
    assert told == {"newer": _built(newer), "new": _built(new)}
    assert told["newer"].public
    assert said["whole"]


def test_a_router_is_told_what_is_deleted_once(client, host_model):
    known = {model.pk: model.generation for model in (host_model(), host_model())}
    first = HostedModel.objects.earliest("pk")
    operations.delete_model(first, cause="ada", now=NOON)

    (told,) = map(wire.Route.of, ask(client, known).json()["routes"])
    del known[first.pk]

    assert (told.model_id, told.removed) == (first.pk, True)
    assert ask(client, known).json() == {"routes": [], "whole": True}


def test_what_is_too_much_for_one_answer_comes_in_several(client, host_model, monkeypatch):
    monkeypatch.setattr(route_table, "_READ_AT_ONCE", 2)
    for _ in range(3):
        host_model()

    first = ask(client, {}).json()
    known = {each["model_id"]: each["generation"] for each in first["routes"]}
    rest = ask(client, known).json()

    assert (len(first["routes"]), first["whole"]) == (2, False)
    assert (len(rest["routes"]), rest["whole"]) == (1, True)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {wire.inquiry_proof('another installation, another key')}"},
        PROOF | {"X-Forwarded-For": "203.0.113.9"},
        PROOF | {"X-Forwarded-Host": "localhost"},
    ],
)
def test_for_anybody_else_there_is_nothing(client, host_model, headers):
    model = host_model()

    answer = ask(client, {}, headers=headers)

    assert answer.status_code == 404
    assert answer.templates[0].name == "errors/404.html"
    assert model.subdomain not in answer.content.decode()


def _built(model):
    return route_table.build(HostedModel.objects.get(pk=model.pk))
