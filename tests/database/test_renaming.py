"""A team gets another name: from its owners, and nothing else of it changes."""

import pytest
from django.urls import reverse

from accounts.models import Role, Team
from tests.api_operations import send
from tests.factories import make_key, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client):
    member = make_member(email="ada@example.org")
    client.force_login(member.user)
    return member


def test_an_owner_renames_the_team(client, owner):
    page = client.get(reverse("members"))
    assert f'value="{owner.team.name}"' in page.text

    answer = client.post(reverse("rename-team"), {"name": "  Night shift "}, follow=True)

    assert Team.objects.get().name == "Night shift"
    assert "The team is called Night shift now." in answer.text


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\0b"])
def test_what_is_no_name_is_refused_beside_the_box(client, owner, name):
    answer = client.post(reverse("rename-team"), {"name": name})

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert Team.objects.get().name == owner.team.name


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_who_is_no_owner_has_no_box_and_is_refused(client, owner, role):
    client.force_login(make_member(team=owner.team, role=role).user)

    page = client.get(reverse("members"))
    answer = client.post(reverse("rename-team"), {"name": "Mine"})

    assert reverse("rename-team") not in page.text
    assert answer.status_code == 403
    assert "ada@example.org (owner)" in answer.text
    assert Team.objects.get().name == owner.team.name


def test_by_the_api_only_the_team_of_the_key_is_renamed(client, owner):
    other = make_member()
    key = make_key(owner)[1]

    answer = send(client, "PATCH", "/api/v1/team/", {"name": "Night shift"}, key=key)

    expected = {"id": owner.team_id, "name": "Night shift", "role": "owner"}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert Team.objects.get(pk=other.team_id).name == other.team.name


@pytest.mark.parametrize("body", [{}, {"name": " "}, {"name": "x" * 81}, {"name": None}])
def test_by_the_api_a_name_is_needed(client, owner, body):
    answer = send(client, "PATCH", "/api/v1/team/", body, key=make_key(owner)[1])

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "name"
