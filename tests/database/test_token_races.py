"""Tokens that are issued at the same moment. In a file of its own: it empties the tables."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from accounts import secrets
from hosting import tokens
from hosting.errors import InvalidValue


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("routes")
def test_eight_people_at_once_issue_no_more_tokens_than_a_model_may_have(host_model, monkeypatch):
    model = host_model()
    monkeypatch.setattr(tokens, "MOST_TOKENS", model.tokens.count() + 2)
    together = threading.Barrier(8)
    mint = secrets.mint

    def mint_slowly(kind):
        time.sleep(0.1)  # after the count, before the row: whoever is not kept out gets in here
        return mint(kind)

    monkeypatch.setattr(secrets, "mint", mint_slowly)

    def issue(number: int) -> bool:
        try:
            together.wait(10)
            tokens.issue(model, label=f"token {number}")
        except InvalidValue:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as people:
        issued = list(people.map(issue, range(8)))

    assert sum(issued) == 2
    assert model.tokens.count() == tokens.MOST_TOKENS
