"""Logins to registries and limits of teams, on their pages: who sees them, who changes them."""

import pytest
from django.conf import settings
from django.urls import reverse

from accounts.models import Role, Team
from hosting import disks, registries
from hosting.lifecycle.capacity import set_team_limit
from hosting.lifecycle.holdings import team_limit
from hosting.models import HostedModel, RegistryLogin, TeamLimit
from hosting.runtimes.base import Login
from tests.factories import REGISTRY, make_login, make_member, make_model, make_operator

pytestmark = pytest.mark.django_db

LOGIN = {"host": REGISTRY, "username": "ada", "password": " a planted password "}
OPERATORS_PAGES = [
    ("get", reverse("installation-capacity")),
    ("get", reverse("limit-team", args=[1])),
    ("post", reverse("limit-team", args=[1])),
    ("get", reverse("installation-registries")),
    ("post", reverse("set-installation-login")),
    ("post", reverse("forget-installation-login", args=[REGISTRY])),
]


@pytest.fixture
def owner(client):
    member = make_member(email="ada@example.org")
    client.force_login(member.user)
    return member


@pytest.fixture
def operator(client):
    member = make_operator()
    client.force_login(member.user)
    return member


@pytest.mark.parametrize(("method", "path"), OPERATORS_PAGES)
def test_what_is_the_installations_is_for_operators_only(client, owner, method, path):
    answer = getattr(client, method)(path, LOGIN)

    assert answer.status_code == 403
    assert "run this installation" in answer.text
    assert "ada@example.org (owner)" not in answer.text
    assert not RegistryLogin.objects.exists()


def test_only_an_operator_is_shown_the_way_there(client, owner):
    assert "/installation/" not in client.get(reverse("capacity")).text

    client.force_login(make_operator().user)
    assert "/installation/capacity/" in client.get(reverse("capacity")).text


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
@pytest.mark.parametrize("path", [reverse("set-login"), reverse("forget-login", args=[REGISTRY])])
def test_who_is_no_owner_reads_the_logins_and_learns_who_changes_them(client, owner, role, path):
    make_login(owner.team)
    client.force_login(make_member(team=owner.team, role=role).user)

    page, refused = client.get(reverse("registries")), client.post(path, LOGIN)

    assert REGISTRY in page.text
    assert 'method="post" action="/registries/' not in page.text
    assert refused.status_code == 403
    assert "ada@example.org (owner)" in refused.text
    assert registries.logins(owner.team).count() == 1


def test_an_owner_sets_a_login_that_is_never_shown_again(client, owner):
    answer = client.post(reverse("set-login"), LOGIN, follow=True)

    assert f"Images of {REGISTRY} are pulled as ada." in answer.text
    assert "planted" not in answer.text
    assert answer["Cache-Control"] == "no-store"
    login = registries.login_for(f"{REGISTRY}/model:1", team_id=owner.team_id)
    assert login == Login("ada", LOGIN["password"])


def test_a_refused_login_comes_back_without_its_password(client, owner):
    answer = client.post(reverse("set-login"), {**LOGIN, "host": "https://ghcr.io"})

    assert answer.status_code == 422
    assert "Name the host as images do" in answer.text
    assert "planted" not in answer.text


def test_without_a_key_for_secrets_the_page_says_so(client, owner, monkeypatch):
    monkeypatch.setattr(settings, "SECRETS_KEYS", [])

    answer = client.post(reverse("set-login"), LOGIN)

    assert answer.status_code == 422
    assert "DORMOUSE_SECRETS_KEYS" in answer.text


def test_a_login_is_forgotten_once(client, owner):
    make_login(owner.team)
    path = reverse("forget-login", args=[REGISTRY])

    first, second = client.post(path), client.post(path)

    assert (first.status_code, second.status_code) == (302, 404)
    assert registries.logins(None).exists()
    assert not registries.logins(owner.team).exists()


def test_an_empty_page_says_what_needs_no_login_and_which_registries_may_be_used(
    client, owner, monkeypatch
):
    monkeypatch.setattr(settings, "REGISTRIES", ["quay.example.org"])

    shown = client.get(reverse("registries")).text

    assert "Images that anybody may pull need none" in shown
    assert "quay.example.org" in shown


def test_a_team_sees_where_the_installation_logs_in_and_not_as_whom(client, owner):
    make_login(make_member().team)

    shown = client.get(reverse("registries")).text

    assert REGISTRY in shown
    assert "<td>ada</td>" not in shown


def test_an_operator_sets_and_forgets_the_installations_login(client, operator):
    set_one = client.post(reverse("set-installation-login"), LOGIN, follow=True)
    client.post(reverse("forget-installation-login", args=[REGISTRY]))

    assert REGISTRY in set_one.text
    assert not RegistryLogin.objects.exists()


def test_a_team_sees_what_it_holds_of_its_limit_and_what_waits(client, owner):
    set_team_limit(owner.team_id, memory_mb=1024)
    model = make_model(owner.team, subdomain="owl").model
    model.replicas.create(revision=model.revision, runtime="fake")
    waits = make_model(owner.team, subdomain="badger").model
    HostedModel.objects.filter(pk=waits.pk).update(state="awakening", wait_reason="No room left.")

    shown = client.get(reverse("capacity")).text

    assert "512 MiB" in shown
    assert 'width="50"' in shown
    assert "1 GiB" in shown
    assert "No room left." in shown


def test_a_team_with_nothing_awake_is_told_so(client, owner):
    shown = client.get(reverse("capacity")).text

    assert "No model waits." in shown
    assert "no limit" in shown


def test_an_operator_limits_a_team_and_takes_it_back(client, operator):
    team = Team.objects.create(name="Elsewhere")
    path = reverse("limit-team", args=[team.pk])

    client.post(path, {"memory_mb": "4096", "cpus": "", "gpus": "0"})
    limited = team_limit(team.pk)
    shown = client.get(path).text
    client.post(path, {"memory_mb": "", "cpus": "", "gpus": ""})

    assert (limited.memory_mb, limited.gpus) == (4096, 0)
    assert 'value="4096"' in shown
    assert not TeamLimit.objects.exists()


@pytest.mark.parametrize(
    "given", [{"memory_mb": "1"}, {"cpus": "NaN"}, {"gpus": "-1"}, {"cpus": "x"}]
)
def test_a_limit_that_can_not_be_is_named_and_nothing_changes(client, operator, given):
    set_team_limit(operator.team_id, memory_mb=2048)

    answer = client.post(reverse("limit-team", args=[operator.team_id]), given)

    assert answer.status_code == 422
    assert "needs your attention" in answer.text
    assert team_limit(operator.team_id).memory_mb == 2048


def test_all_teams_are_listed_with_the_machines(client, operator):
    team = Team.objects.create(name="Elsewhere")
    model = make_model(team).model
    model.replicas.create(revision=model.revision, runtime="fake", node="node-7")

    shown = client.get(reverse("installation-capacity")).text

    assert "Elsewhere" in shown
    assert "node-7" in shown
    assert client.get(reverse("limit-team", args=[2**31])).status_code == 404


@pytest.mark.parametrize(
    ("free", "said"), [(900, "has 900 MB free.</b> Free some space"), (3, "It is full")]
)
def test_an_operator_reads_that_a_disk_fills_up(client, operator, monkeypatch, free, said):
    there = disks.Disk(settings.STATE_DIR, total=1 << 40, free=free << 20)
    monkeypatch.setattr(disks, "look", lambda _: [there])

    assert said in client.get(reverse("installation-capacity")).text
