"""Bearer secrets: typos are turned away, and a scanner can find ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import secrets
from accounts.secrets import Kind


@pytest.mark.parametrize("kind", list(Kind))
def test_a_new_secret_is_well_formed_and_says_what_it_opens(kind):
    secret = secrets.mint(kind)

    assert secret.startswith(f"dm{kind}_")
    assert secrets.well_formed(secret)


def test_no_two_secrets_are_alike():
    assert len({secrets.mint(Kind.API_KEY) for _ in range(1_000)}) == 1_000


@given(position=st.integers(0, 39), character=st.characters())
def test_any_one_wrong_character_is_noticed(position, character):
    secret = secrets.mint(Kind.ENDPOINT)
    mistyped = secret[:position] + character + secret[position + 1 :]

    assert secrets.well_formed(mistyped) == (mistyped == secret)


@given(st.text())
def test_no_text_brings_the_check_down(text):
    assert not secrets.well_formed(text)


def test_a_scanner_finds_a_secret_in_the_middle_of_a_text():
    secret = secrets.mint(Kind.API_KEY)

    found = secrets.SECRET_PATTERN.search(f'key="{secret}"; # do not commit')

    assert found is not None
    assert found.group() == secret


def test_the_checksum_is_the_documented_one():
    # CRC-32 of the body in six base62 digits, so that others can check without us.
    assert secrets.checksum("dmk_" + "0" * 30) == "2ptnIU"
    assert secrets.checksum("") == "000000"


def test_the_digest_is_the_sha_256_of_the_whole_secret():
    assert secrets.digest("abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
