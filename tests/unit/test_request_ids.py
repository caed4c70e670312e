"""Ids of requests, and the digests of their tokens."""

import hashlib
import uuid

from hosting.router.digests import sha256
from hosting.router.usage import RequestIds


def test_ids_are_uuids_in_the_order_of_time():
    ids = RequestIds()
    start = 1781524800.0
    moments = [start + number / 500 for number in range(70_000)]  # more than one "era"
    made = [ids.mint(now=moment).decode() for moment in moments]

    assert len(set(made)) == len(made)
    assert [uuid.UUID(each).version for each in made[:2000]] == [7] * 2000
    assert {uuid.UUID(each).variant for each in made[:2000]} == {uuid.RFC_4122}
    prefixes = [int(each.replace("-", "")[:12], 16) for each in made]
    assert prefixes == [int(moment * 1000) for moment in moments]


def test_ids_of_one_millisecond_are_in_the_order_of_minting():
    ids = RequestIds()
    ids._count &= 0xFFFF_FF00_0000  # no wrap-around within the test
    ids._end = ids._counted()
    made = [ids.mint(now=1.5) for _ in range(3000)]

    assert made == sorted(set(made))


def test_digests_are_those_of_everybody_else():
    for length in range(200):
        text = b"x" * length
        assert sha256(text).digest() == hashlib.sha256(text).digest()
