"""People, teams and API keys."""

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts import operations, queries
from accounts.models import ApiKey, Membership, Role, Team, User
from tests.factories import make_key, make_member, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now()


def test_two_people_can_not_share_an_address_in_any_case():
    make_user(email="Ada@example.org")

    with pytest.raises(IntegrityError):
        make_user(email="aDA@example.org")


def test_who_founds_a_team_owns_it():
    ada = make_user()

    team = operations.found_team(ada, name="x" * 200)

    membership = queries.find_membership(ada)
    assert membership is not None
    assert (membership.team, membership.role) == (team, Role.OWNER)


def test_a_person_is_in_a_team_once():
    member = make_member()

    with pytest.raises(IntegrityError):
        Membership.objects.create(team=member.team, user=member.user)


def test_a_role_that_does_not_exist_is_refused_by_the_database():
    with pytest.raises(IntegrityError):
        make_member(role="emperor")


@pytest.mark.parametrize(
    ("role", "may_write"), [(Role.OWNER, True), (Role.MEMBER, True), (Role.VIEWER, False)]
)
def test_viewers_alone_may_not_write(role, may_write):
    assert make_member(role=role).may_write is may_write


def test_a_membership_is_found_within_the_named_team_only():
    ada, other = make_member(), make_member()

    assert queries.find_membership(ada.user) == ada
    assert queries.find_membership(ada.user, team_id=ada.team_id) == ada
    assert queries.find_membership(ada.user, team_id=other.team_id) is None


def test_the_secret_of_a_key_is_nowhere_in_its_row():
    _, secret = make_key(make_member())

    row = str(ApiKey.objects.values().get())
    assert secret not in row
    assert secret[8:-4] not in row


def test_a_key_is_found_by_its_secret(now):
    key, secret = make_key(make_member())

    assert queries.find_api_key(secret, now=now) == key


def test_a_key_expires_on_the_dot(now):
    _, secret = make_key(make_member(), expires_at=now)

    assert queries.find_api_key(secret, now=now - timedelta(microseconds=1)) is not None
    assert queries.find_api_key(secret, now=now) is None


def test_a_key_is_revoked_once_and_for_all(now):
    key, secret = make_key(make_member())
    operations.revoke_api_key(key, now=now)
    operations.revoke_api_key(key, now=now + timedelta(days=1))

    assert queries.find_api_key(secret, now=now) is None
    assert ApiKey.objects.get().revoked_at == now
    assert not queries.api_keys(key.team)


def test_a_key_of_someone_who_left_opens_nothing_and_works_again_when_they_return(now):
    member = make_member()
    _, secret = make_key(member)
    team, user = member.team, member.user

    member.delete()
    gone = queries.find_api_key(secret, now=now)
    Membership.objects.create(team=team, user=user)

    assert gone is None
    assert queries.find_api_key(secret, now=now) is not None


def test_a_mistyped_key_costs_no_query(now, django_assert_num_queries):
    _, secret = make_key(make_member())

    with django_assert_num_queries(0):
        assert queries.find_api_key(secret[:-1] + "!", now=now) is None


def test_the_last_use_is_written_at_most_once_a_minute(now, django_assert_num_queries):
    key, _ = make_key(make_member())
    operations.note_api_key_used(key, now=now)
    key.refresh_from_db()

    with django_assert_num_queries(0):
        operations.note_api_key_used(key, now=now + timedelta(seconds=59))
    operations.note_api_key_used(key, now=now + timedelta(seconds=61))

    assert ApiKey.objects.get().last_used_at == now + timedelta(seconds=61)


def test_signing_up_founds_a_team_of_ones_own(client, settings):
    settings.REGISTRATION_OPEN = True

    client.post(
        "/accounts/signup/", {"email": "ada@example.org", "password1": "correct horse battery"}
    )

    assert Team.objects.get(members__email="ada@example.org").name == "ada's team"


def test_nobody_signs_up_while_registration_is_closed(client, settings):
    settings.REGISTRATION_OPEN = False

    client.post(
        "/accounts/signup/", {"email": "ada@example.org", "password1": "correct horse battery"}
    )

    assert not User.objects.exists()
