"""The page of a model's revisions, and what can be done there."""

import pytest
from django.test import Client

from accounts.models import Membership, Role
from hosting.lifecycle import operations
from hosting.lifecycle.specs import RevisionSpec
from hosting.models import GoldenRequest, HostedModel, Revision, Target
from tests.factories import make_canary, make_golden_request, make_member, make_model

HERE = "/models/owl/"
PAGE = f"{HERE}revisions/"
GOLDEN = {
    "name": "greets",
    "input": '{"text": "hi"}',
    "expected_status": "200",
    "timeout_seconds": "5",
    "expected_keys": "text, mood",
}


@pytest.fixture
def owner(db: None) -> Membership:
    return make_member(email="ada@example.org")


@pytest.fixture
def browser(client: Client, owner: Membership) -> Client:
    client.force_login(owner.user)
    return client


@pytest.fixture
def model(owner: Membership) -> HostedModel:
    return make_model(owner.team, subdomain="owl").model


def revision(model: HostedModel, number: int) -> Revision:
    return model.revisions.get(number=number)


def test_a_share_that_is_no_percentage_is_refused_beside_its_field(
    browser: Client, model: HostedModel
):
    make_canary(model)

    answer = browser.post(f"{HERE}canary/", {"number": "2", "share": "101"})

    assert answer.status_code == 422
    assert "less than or equal to 100" in answer.text
    assert Target.objects.get().share == 10


@pytest.mark.parametrize("number", ["1", "9", "x", ""])
def test_what_can_not_be_tried_is_not_tried(browser: Client, model: HostedModel, number: str):
    assert browser.post(f"{HERE}canary/", {"number": number, "share": "5"}).status_code == 422
    assert not Target.objects.exists()


@pytest.mark.parametrize("verb", ["promote", "abort"])
def test_there_is_no_canary_to_end(browser: Client, model: HostedModel, verb: str):
    answer = browser.post(f"{HERE}canary/{verb}/", follow=True)

    assert "has no canary" in answer.text


def test_a_golden_request_that_is_not_json_is_refused(browser: Client, model: HostedModel):
    answer = browser.post(f"{HERE}golden/", GOLDEN | {"input": "{hi"})

    assert answer.status_code == 422
    assert "Enter a valid JSON" in answer.text
    assert "{hi" in answer.text


def test_what_no_box_asks_for_stays_with_a_deploy(browser: Client, model: HostedModel):
    image = "example.org/echo:1"
    of_the_api = RevisionSpec(image=image, protocol="http", arguments=["-v"], options={"a": 1})
    operations.deploy(model, revision=of_the_api, created_by=None)

    browser.post(f"{HERE}deploy/", {"image": image, "protocol": "http", "memory_mb": 64, "cpus": 1})

    made = revision(model, 3)
    assert (made.memory_mb, made.arguments, made.options) == (64, ["-v"], {"a": 1})


@pytest.mark.parametrize("name", ["input", "expected_output"])
@pytest.mark.parametrize(
    "typed",
    ["NaN", "[1e999]", '"\\ud800"', '{"\\u0000": 1}', "[" * 100_000, "1" * 5_000],
    ids=["nan", "infinite", "half a pair", "NUL", "deep", "long"],
)
def test_json_that_can_not_be_kept_is_refused_beside_its_field(
    browser: Client, model: HostedModel, name: str, typed: str
):
    answer = browser.post(f"{HERE}golden/", GOLDEN | {name: typed})

    assert answer.status_code == 422
    assert list(answer.context["golden_form"].errors) == [name]
    assert answer.context["golden_form"][name].value() == typed


def test_an_unknown_revision_or_golden_request_is_404(browser: Client, model: HostedModel):
    assert browser.post(f"{PAGE}9/current/").status_code == 404
    assert browser.post(f"{HERE}golden/9/forget/").status_code == 404


def test_the_page_says_why_a_revision_was_called_off(browser: Client, model: HostedModel):
    tried = make_canary(model).revision
    Target.objects.all().delete()
    Revision.objects.filter(pk=tried.pk).update(
        rejected_at=tried.created_at, rejected_reason="12 of its 40 requests failed."
    )

    text = browser.get(PAGE).text

    assert "Called off" in text
    assert "12 of its 40 requests failed." in text


def test_the_page_shows_what_changed_but_no_secret(browser: Client, model: HostedModel):
    operations.deploy(
        model,
        revision=RevisionSpec(
            image="example.org/echo:1",
            protocol="http",
            memory_mb=2048,
            environment={"API_TOKEN": "hush-hush"},
        ),
        created_by=None,
    )

    text = browser.get(PAGE).text

    assert "512 MiB → 2 GiB" in text
    assert "API_TOKEN" in text
    assert "hush-hush" not in text


def test_a_revision_is_tried_and_promoted(browser: Client, model: HostedModel):
    make_canary(model)

    browser.post(f"{HERE}canary/", {"number": "2", "share": "50"})
    tried = browser.get(PAGE).text
    answer = browser.post(f"{HERE}canary/promote/", follow=True)

    model.refresh_from_db()
    assert "Canary, 50 %" in tried
    assert "X-Dormouse-Revision: 2" in tried
    assert "r2 is the current revision now" in answer.text
    assert model.revision == revision(model, 2)


def test_a_canary_is_aborted(browser: Client, model: HostedModel):
    make_canary(model)

    answer = browser.post(f"{HERE}canary/abort/", follow=True)

    assert "r2 gets no more queries" in answer.text
    assert not Target.objects.exists()


def test_a_new_revision_can_be_tried_first(browser: Client, model: HostedModel):
    browser.post(
        f"{HERE}deploy/",
        {
            "image": "example.org/echo:2",
            "protocol": "http",
            "memory_mb": "512",
            "cpus": "1",
            "canary_share": "5",
        },
    )

    model.refresh_from_db()
    assert model.revision == revision(model, 1)
    assert Target.objects.get().share == 5


def test_one_goes_back_to_a_revision(browser: Client, model: HostedModel):
    operations.promote(make_canary(model).model, by=None, now=model.created_at)

    browser.post(f"{PAGE}1/current/")

    model.refresh_from_db()
    assert model.revision == revision(model, 1)


def test_going_back_by_itself_is_switched_off_and_on(browser: Client, model: HostedModel):
    off = browser.post(f"{HERE}auto-rollback/", {"wanted": "off"}, follow=True)
    model.refresh_from_db()
    switched_off = not model.auto_rollback
    browser.post(f"{HERE}auto-rollback/", {"wanted": "on"})
    model.refresh_from_db()

    assert "stays until somebody calls it off" in off.text
    assert switched_off
    assert model.auto_rollback


def test_a_golden_request_is_kept_and_forgotten(browser: Client, model: HostedModel):
    browser.post(f"{HERE}golden/", GOLDEN)
    kept = GoldenRequest.objects.get()
    shown = browser.get(PAGE).text
    browser.post(f"{HERE}golden/{kept.pk}/forget/")

    assert (kept.input, kept.expected_keys, kept.created_by) == (
        {"text": "hi"},
        ["text", "mood"],
        model.team.memberships.get().user,
    )
    assert "greets" in shown
    assert not GoldenRequest.objects.exists()


def test_a_viewer_sees_it_all_and_is_offered_nothing(client: Client, model: HostedModel):
    make_canary(model)
    make_golden_request(model)
    client.force_login(make_member(team=model.team, role=Role.VIEWER).user)

    text = client.get(PAGE).text

    assert "Canary, 10 %" in text
    assert "any" in text
    for offer in ("Promote", "Abort", "Make current", "Forget", "Keep it", "Change what runs"):
        assert offer not in text


def test_the_page_asks_the_database_no_more_for_many_revisions(
    browser: Client, model: HostedModel, django_assert_max_num_queries
):
    for _ in range(12):
        make_canary(model)

    with django_assert_max_num_queries(25):
        browser.get(PAGE)


@pytest.mark.parametrize(("share", "said"), [(10, "Canary r2, 10 %"), (0, "Canary r2, by header")])
@pytest.mark.parametrize("path", ["/", HERE])
def test_a_canary_shows_in_the_list_and_on_every_tab(
    browser: Client, model: HostedModel, path: str, share: int, said: str
):
    make_canary(model)
    Target.objects.update(share=share)

    shown = " ".join(browser.get(path).text.split())

    assert said in shown


@pytest.mark.parametrize("path", ["/", HERE])
def test_without_a_canary_none_is_shown(browser: Client, model: HostedModel, path: str):
    assert "Canary r" not in browser.get(path).text
