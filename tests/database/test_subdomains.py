"""Names: who may have which."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Team
from hosting import subdomains
from hosting.errors import InvalidValue, SubdomainTaken
from hosting.lifecycle import operations

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("tale-writer", "free"),
        ("a1b", "free"),
        ("x" * 40, "free"),
        ("ab", "malformed"),
        ("x" * 41, "malformed"),
        ("Tale", "malformed"),
        ("1tale", "malformed"),
        ("-tale", "malformed"),
        ("tale-", "malformed"),
        ("tale--writer", "malformed"),
        ("tale_writer", "malformed"),
        ("tale.writer", "malformed"),
        ("tälé", "malformed"),
        ("tale\n", "malformed"),
        ("", "malformed"),
        ("admin", "reserved"),
        ("xn-tale", "reserved"),
    ],
)
def test_which_names_can_be_had(team, name, status):
    assert subdomains.check(name, team=team).status == status


def test_a_name_in_use_is_taken_for_everyone(model):
    assert subdomains.check(model.subdomain, team=model.team).status == "taken"
    assert subdomains.check(model.subdomain, team=None).status == "taken"


def test_a_deleted_name_is_kept_from_other_teams_for_90_days(model):
    stranger = Team.objects.create(name="Strangers")
    operations.delete_model(model, cause="ada", now=timezone.now() - timedelta(days=89))
    assert subdomains.check(model.subdomain, team=model.team).free
    assert subdomains.check(model.subdomain, team=stranger).status == "taken"

    type(model).objects.update(deleted_at=timezone.now() - timedelta(days=91))

    assert subdomains.check(model.subdomain, team=stranger).free


def test_two_who_take_a_name_at_once_do_not_both_get_it(host_model, model, monkeypatch):
    monkeypatch.setattr(subdomains, "require", lambda *_, **__: None)  # both were told it is free

    with pytest.raises(SubdomainTaken):
        host_model(subdomain=model.subdomain)


def test_suggestions_can_be_had(team, host_model):
    host_model(subdomain="tale-live")

    names = subdomains.suggestions("Tale", team=team)

    assert len(names) == len(set(names)) == 3
    assert all(subdomains.check(name, team=team).free for name in names)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"image": "no spaces allowed"}, "image"),
        ({"image": "catalogue:nothing"}, "image"),
        ({"protocol": "telepathy"}, "protocol"),
        ({"port": 0}, "port"),
        ({"query_path": "predict"}, "query_path"),
        ({"environment": {"lower": "x"}}, "environment"),
        ({"environment": {"OK": "nul\0"}}, "environment"),
        ({"memory_mb": 1}, "memory_mb"),
        ({"cpus": 0}, "cpus"),
        ({"concurrency": -1}, "concurrency"),
        ({"idle_timeout_seconds": 1}, "idle_timeout_seconds"),
    ],
)
def test_a_model_that_could_never_run_is_refused_and_the_field_named(host_model, fields, wrong):
    with pytest.raises(InvalidValue) as refused:
        host_model(**fields)

    assert refused.value.field == wrong


def test_a_private_model_comes_with_a_token_and_a_public_one_without(host_model, team):
    revision = operations.RevisionSpec(image="example.org/a", protocol="http")

    private = operations.create_model(team, subdomain="one", revision=revision)
    public = operations.create_model(team, subdomain="two", revision=revision, public=True)

    assert private.secret.startswith("dme_")
    assert private.secret not in str(vars(private.token))
    assert public.token is None


def test_revisions_are_numbered_and_the_newest_is_current(model):
    revision = operations.RevisionSpec(image="example.org/echo:2", protocol="http")

    made = operations.deploy(model, revision=revision, created_by=None)

    assert made.number == 2
    assert model.revision == made
