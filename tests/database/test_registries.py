"""Logins to image registries: whose goes first, who sees what, and which registries may be used."""

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Team
from hosting import registries
from hosting.errors import InvalidValue, SecretsUnavailable
from hosting.lifecycle import operations, starting
from hosting.models import RegistryLogin
from hosting.runtimes.base import Login
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db

HOST = "registry.example.org:5000"
IMAGE = f"{HOST}/team/model:1"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setattr(settings, "SECRETS_KEYS", [Fernet.generate_key().decode()])


def log_in(team, password, *, host=HOST):
    registries.log_in(host, team=team, username="ada", password=password, now=NOON)


def test_a_teams_own_login_goes_before_the_installations(team):
    log_in(None, "everybody's")
    other = Team.objects.create(name="Other")
    log_in(team, "its own")

    assert registries.login_for(IMAGE, team_id=team.pk) == Login("ada", "its own")
    assert registries.login_for(IMAGE, team_id=other.pk) == Login("ada", "everybody's")


def test_another_teams_login_is_nobody_elses(team):
    log_in(Team.objects.create(name="Other"), "theirs")

    assert registries.login_for(IMAGE, team_id=team.pk) is None
    assert registries.is_private(IMAGE)


def test_passwords_are_sealed_and_never_printed(team):
    log_in(team, "a-planted-password")

    assert "a-planted-password" not in RegistryLogin.objects.get().sealed
    assert "a-planted-password" not in repr(registries.login_for(IMAGE, team_id=team.pk))


def test_without_a_key_nothing_is_kept(team, monkeypatch):
    monkeypatch.setattr(settings, "SECRETS_KEYS", [])

    with pytest.raises(SecretsUnavailable):
        log_in(team, "secret")


@pytest.mark.parametrize("host", ["", "https://registry.example.org", "UPPER", "a b", "x/y"])
def test_a_host_is_named_as_images_name_it(team, host):
    with pytest.raises(InvalidValue):
        log_in(team, "secret", host=host)


def test_a_login_is_replaced_not_doubled_and_can_be_forgotten(team):
    for password in ("old", "new"):
        log_in(team, password)
        log_in(None, password)

    assert registries.login_for(IMAGE, team_id=team.pk) == Login("ada", "new")
    assert registries.log_out(HOST, team=team)
    assert not registries.log_out(HOST, team=team)
    with pytest.raises(IntegrityError), transaction.atomic():
        RegistryLogin.objects.create(host=HOST, username="b", sealed="", changed_at=NOON)


def test_a_replica_is_started_with_its_teams_login(host_model, team):
    log_in(team, "its own")
    model = host_model(image=IMAGE)
    replica = model.replicas.create(revision=model.revision, runtime="fake")

    spec = starting.spec_of(replica)

    assert (spec.login, spec.private) == (Login("ada", "its own"), True)


def test_images_come_only_from_registries_that_are_allowed(host_model, monkeypatch):
    monkeypatch.setattr(settings, "REGISTRIES", ["ghcr.io", HOST])

    host_model(image=IMAGE)
    host_model(image="local-image:1")
    with pytest.raises(InvalidValue, match=r"docker\.io are not allowed here. Use one of: ghcr"):
        host_model(image="docker.io/library/nginx:1")


def test_a_deploy_is_held_to_it_too(model, monkeypatch):
    monkeypatch.setattr(settings, "REGISTRIES", ["ghcr.io"])
    elsewhere = operations.RevisionSpec(image=IMAGE, protocol="http")

    with pytest.raises(InvalidValue, match="not allowed here"):
        operations.deploy(model, revision=elsewhere, created_by=None)
