"""Which token opens a model: of one connection, on which any token may come at any time."""

import hashlib

import pytest

from hosting.router import access
from hosting.router.access import Shown, Tokens

HERS, HIS, UNKNOWN = b"hers", b"his", b"unknown"
TOKENS = {hashlib.sha256(token).digest(): id_ for id_, token in enumerate((HERS, HIS), start=5)}


def opened(
    shown: Shown, token: bytes, *, tokens: dict[bytes, int] = TOKENS, scheme: bytes = b"Bearer "
) -> int | None:
    return access.token_id(
        scheme + token, shown=shown, public=False, tokens=Tokens(tokens, {}), now=0.0
    )


def test_a_connection_may_bring_one_token_after_another():
    shown = Shown()
    sent = [HERS, HERS, HIS, UNKNOWN, UNKNOWN, HERS, HIS]

    assert [opened(shown, token) for token in sent] == [5, 5, 6, None, None, 5, 6]


def test_a_token_that_was_just_shown_opens_nothing_once_it_is_taken_back():
    shown = Shown()

    assert opened(shown, HERS) == 5
    assert opened(shown, HERS, tokens={}) is None


@pytest.mark.parametrize(("scheme", "id_"), [(b"bearer ", 5), (b"BEARER  ", 5), (b"Basic ", None)])
def test_what_was_shown_says_nothing_of_the_same_token_in_another_scheme(scheme: bytes, id_):
    shown = Shown()

    assert opened(shown, HERS) == 5
    assert opened(shown, HERS, scheme=scheme) == id_


def test_without_a_token_nothing_is_shown():
    arguments = {"shown": Shown(), "tokens": Tokens(TOKENS, {}), "now": 0.0}

    assert access.token_id(None, public=False, **arguments) is None
    assert access.token_id(b"", public=True, **arguments) == access.PUBLIC
    assert access.token_id(b"Bearer ", public=False, **arguments) is None


@pytest.mark.parametrize("opens", range(4))
def test_each_of_several_tokens_opens_until_it_expires(opens: int):
    digests = [hashlib.sha256(b"%d" % number).digest() for number in range(opens + 1)]
    ids = {digest: number for number, digest in enumerate(digests[:opens])}
    tokens = Tokens(ids, dict.fromkeys(digests[::2], 100.0))

    assert [tokens.id_of(each, now=99.9) for each in digests] == [*range(opens), None]
    late = [None if number % 2 == 0 else number for number in range(opens)]
    assert [tokens.id_of(each, now=100.0) for each in digests] == [*late, None]
    assert tokens.id_of(b"", now=0.0) is None
