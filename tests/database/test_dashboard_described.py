"""What a model takes and gives, on its page: listed, looked for, or why nothing is known."""

import json

import pytest

from hosting.lifecycle.specs import RevisionSpec
from hosting.models import Revision
from tests.factories import make_member, make_model

pytestmark = pytest.mark.django_db

INFO = {
    "name": "predict",
    "inputs": [
        {
            "name": "input",
            "type": "object",
            "fields": [
                {"name": "steps", "type": "number", "min": 1, "max": 50, "default": 20},
                {"name": "prompt", "type": "text", "description": "<b>What</b> to paint."},
            ],
        },
    ],
    "outputs": [{"name": "output", "type": "file"}],
}


@pytest.fixture
def shown(client):
    """The page of a model whose revision has these values."""
    owner = make_member()
    client.force_login(owner.user)

    def show(protocol="cog", command="", **values):
        spec = RevisionSpec(image="example.org/paint:1", protocol=protocol, command=command)
        make_model(owner.team, subdomain="owl", revision=spec)
        Revision.objects.update(**values)
        return client.get("/models/owl/").text

    return show


def test_fields_are_listed_with_what_they_take(shown):
    page = shown(info=json.dumps(INFO))

    assert "input.steps" in page
    assert "a number, 1 to 50" in page
    assert "&lt;b&gt;What&lt;/b&gt; to paint." in page
    assert "the address of a file" in page


def test_an_image_that_is_being_looked_into_is_said_to_be(shown):
    assert "Its image is looked into" in shown()


def test_why_nothing_is_known_is_said(shown):
    page = shown(protocol="runway", command="sing", info_missing="The image has no command “sing”.")

    assert "The image has no command “sing”." in page
    assert "looked into" not in page


def test_a_plain_server_takes_anything(shown):
    assert "any value" in shown(protocol="http")


@pytest.mark.parametrize(
    "info",
    [
        "no json",
        "{}",
        '{"inputs": 5}',
        '{"inputs": [{"name": "x", "type": [{"name": "y"}]}]}',
        '{"inputs": [{"name": "x", "type": "category", "oneOf": 7}], "outputs": [{}]}',
        '{"inputs": [{"name": "x", "type": "object", "fields": [{"type": "any"}]}]}',
    ],
)
def test_whatever_a_model_says_of_itself_is_no_error(shown, info):
    assert "What it takes and gives" in shown(info=info)
