"""A parser used again judges every head as a new one does."""

import random

import pytest
from httptools import HttpRequestParser, HttpResponseParser

from hosting.router.llhttp import Heads

REQUESTS = [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    (b"POST /v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", b"body"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
    (b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n", b"x"),
    (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", b""),
    (b"HEAD / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", b""),
    (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b""),
    (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b""),
]
ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b""),
    (b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
    (b"HTTP/1.1 200 OK\r\n\r\n", b"until the end"),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", b"x"),
    (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n", b""),
]
KINDS = {"requests": (HttpRequestParser, REQUESTS), "answers": (HttpResponseParser, ANSWERS)}


class Counted:
    """Makes parsers, and counts them."""

    def __init__(self, make) -> None:
        self.made = 0
        self._make = make

    def __call__(self, heads: Heads):
        self.made += 1
        return self._make(heads)


def broken(head: bytes, chance: random.Random) -> bytes:
    """The head with some bytes gone, doubled, or others."""
    data = bytearray(head)
    for _ in range(chance.randint(0, 2)):
        at = chance.randrange(len(data))
        data[at : at + chance.randint(0, 2)] = chance.choice(
            [b"", b"\r\n", b"\n", b" ", b"\0", b":", b"\r\n\r\n", b"Content-Length: 3\r\n", b"\xff"]
        )
    return bytes(data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_parser_judges_as_a_new_one(kind):
    make, messages = KINDS[kind]
    chance = random.Random(kind)
    kept = Heads(make)
    accepted = 0
    for _ in range(30_000):
        head, body = chance.choice(messages)
        head = broken(head, chance)
        verdict = kept.accept(head)
        assert verdict == Heads(make).accept(head), head
        accepted += verdict
        if body and chance.random() < 0.7:
            kept.end(chance.choice([body, body[:-1], body + b"x"]))
    assert 5_000 < accepted < 29_000


@pytest.mark.parametrize("kind", KINDS)
def test_one_parser_serves_messages_that_are_seen_to_their_end(kind):
    make, messages = KINDS[kind]
    head, body = messages[1 if kind == "requests" else 0]
    counted = Counted(make)
    heads = Heads(counted)
    for _ in range(100):
        assert heads.accept(head)
        heads.end(body)

    assert counted.made == 1


def test_a_parser_that_misses_a_body_is_not_kept():
    counted = Counted(HttpRequestParser)
    heads = Heads(counted)
    hidden = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert heads.accept(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(hidden))
    assert heads.accept(hidden)

    assert counted.made == 2


def test_two_heads_are_not_one():
    head = REQUESTS[0][0]
    heads = Heads(HttpRequestParser)
    assert heads.accept(head)

    assert not heads.accept(head + head)
    assert heads.accept(head)
