"""Pages of hosted models can't act on the dashboard with the visitor's cookies."""

import pytest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("path", ["/accounts/login/", "/api/v1/models/", "/host/echo/"])
def test_a_form_sent_from_a_foreign_page_is_refused(client, site, path):
    answer = client.post(path, headers={"Sec-Fetch-Site": site})

    assert answer.status_code == 403
    assert b"not ours" in answer.content


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}])
def test_our_own_forms_and_programs_pass(client, headers):
    answer = client.post("/accounts/login/", {"login": "a@example.org"}, headers=headers)

    assert answer.status_code == 200


def test_links_from_elsewhere_still_lead_here(client):
    answer = client.get("/accounts/login/", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/accounts/login/", "/static/dashboard/tokens.css"])
def test_our_files_can_not_be_included_by_a_foreign_page(client, path):
    answer = client.get(path)
    answer.close()

    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
