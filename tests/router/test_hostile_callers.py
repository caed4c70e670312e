"""What no caller may do: raw bytes against the router, an echo model that records what reached it.

Every smuggled request carries MARKER. It must never reach the model, nor be answered.
"""

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.router.conftest import OwnRedis
from tests.router.harness import TOKEN, ControlPlane, Router, head, running_router, wait_until
from tests.router.model import Model, answer

MARKER = b"smuggled-9f3a"
SMUGGLED = head("POST", "/v1/query", body=b"{}", headers=(f"X-Smuggled: {MARKER.decode()}",))


@pytest.fixture(scope="module")
def shared_model() -> Iterator[Model]:
    model = Model()
    yield model
    model.close()


@pytest.fixture(scope="module")
def hostile(
    tmp_path_factory: pytest.TempPathFactory, own_redis: OwnRedis, shared_model: Model, form: str
) -> Iterator[Router]:
    control = ControlPlane(own_redis.url)
    control.redis.flushall()
    control.redis.set("dormouse:routes:epoch", "1")
    with running_router(tmp_path_factory.mktemp("router"), "--redis", own_redis.url) as router:
        control.known_to_router(control.awake("echo", shared_model.port, concurrency=0))
        control.known_to_router(
            control.awake("pass", shared_model.port, concurrency=0, protocol="openai")
        )
        yield router
    control.close()


@pytest.fixture
def echo(shared_model: Model) -> Iterator[Model]:
    shared_model.seen.clear()
    shared_model.received.clear()
    yield shared_model
    assert MARKER not in shared_model.received


def post(*lines: str | bytes, body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    """A POST with exactly these header lines beside Host and Authorization."""
    raw = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    first = f"POST /v1/query {version}\r\nHost: echo.models.test\r\nAuthorization: Bearer {TOKEN}"
    return b"\r\n".join((first.encode(), *raw, b"", b"")) + body


def refuses(router: Router, data: bytes, statuses: set[int]) -> None:
    """The bytes get one refusal, and the connection is closed on whatever follows."""
    wire = router.wire().send(data)

    first = wire.read()

    assert first.status in statuses, first
    assert first.json["error"]["code"]
    assert first.headers.get("connection") == "close"
    assert wire.rest() == b""


@pytest.mark.parametrize(
    "length",
    ["+5", "-5", "0x5", "5_0", "5;5", "٥".encode().decode("latin-1"), "18446744073709551621",
     "1e1", "", "5, 6", "5,5", "5 5", "5\t5", "five", "0b1", "5.0", "9" * 30],
)  # fmt: skip
def test_a_content_length_that_is_no_number_is_refused(hostile: Router, echo: Model, length: str):
    refuses(hostile, post(f"Content-Length: {length}", body=b"12345" + SMUGGLED), {400})
    assert not echo.seen


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Content-Length: 5"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length : 5",),
        ("Content-Length\t: 5",),
        (" Content-Length: 5",),
        ("Content-Length:", " 5"),
        ("Authorization: Bearer other", "Content-Length: 5"),
        ("X-A: b", " folded: 5", "Content-Length: 5"),
        ("X-A: b", "\tfolded", "Content-Length: 5"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: identity",),
        ("Transfer-Encoding: xchunked",),
        ('Transfer-Encoding: "chunked"',),
        ("Transfer-Encoding: chunked;q=1",),
        ("Transfer-Encoding: \x0bchunked",),
        (b"Transfer-Encoding: chunked\x00",),
        (b"Transfer-Encoding: chunked\x7f",),
        (b"Transfer-Encoding: \xa0chunked",),
        ("Transfer-Encoding:",),
        ("Transfer-Encoding: cow",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: cow"),
        ("Transfer_Encoding: chunked", "Content-Length: 5", "Content-Length: 0"),
        (b"X-A: b\rTransfer-Encoding: chunked",),
        (b"X-A: b\nTransfer-Encoding: chunked",),
        (b"X-A: b\x00c", "Content-Length: 5"),
        ("X A: b",),
        (": b",),
        ("no colon at all",),
        ("X-\x00: b",),
        (b"X-\xe9: b",),
        ("X(A): b",),
    ],
)
def test_framing_that_two_servers_might_read_differently_is_refused(
    hostile: Router, echo: Model, lines: tuple[str | bytes, ...]
):
    refuses(hostile, post(*lines, body=b"0\r\n\r\n" + SMUGGLED), {400, 501})
    assert not echo.seen


def test_chunks_in_http_1_0_are_refused(hostile: Router, echo: Model):
    data = post("Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED, version="HTTP/1.0")

    refuses(hostile, data, {400})


@pytest.mark.parametrize(
    "body",
    [
        b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"g\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n", b"-1\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhelloo\r\n0\r\n\r\n", b"ffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n", b"5\x00\r\nhello\r\n0\r\n\r\n",
        b"5;\n\r\nhello\r\n0\r\n\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX Y: z\r\n\r\n", b"5\r\nhello\r\n0\r\nX: a\nb: c\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\rX", b"0_5\r\nhello\r\n0\r\n\r\n",
    ],
)  # fmt: skip
def test_chunks_that_are_none_are_refused(hostile: Router, echo: Model, body: bytes):
    refuses(hostile, post("Transfer-Encoding: chunked", body=body + SMUGGLED), {400})
    assert not [seen for seen in echo.seen if seen.body == b"hello"]


def test_trailers_never_become_headers(hostile: Router, echo: Model):
    trailers = b"Authorization: x\r\nX-Trailer: 1\r\nHost: evil\r\n"
    wire = hostile.wire()

    wire.send(post("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n"))

    assert wire.read().json["body"] == "hello"
    assert b"X-Trailer" not in echo.received


@pytest.mark.parametrize("endless", [b"5;" + b"a" * 100_000, b"0\r\n" + b"X-T: b\r\n" * 20_000])
def test_endless_extensions_and_trailers_end(hostile: Router, echo: Model, endless: bytes):
    wire = hostile.wire().send(post("Transfer-Encoding: chunked", body=endless))

    assert wire.read().status in {400, 413, 431}
    assert wire.closed()


@pytest.mark.parametrize(
    "lines",
    [
        "", "Host: echo.models.test\r\nHost: echo.models.test\r\n",
        "Host: echo.models.test\r\nHost: other.models.test\r\n", "Host: a@echo.models.test\r\n",
        "Host: echo.models.test/\r\n", "Host: echo.models.test/v1\r\n",
        "Host: echo.models.test,x\r\n", "Host: echo.models.test x\r\n", "Host:\r\n",
        "Host: echo.models.test:80:80\r\n", "Host: echo.models.test:8x\r\n",
        "Host: echo.models.test\\x\r\n", "Host: echo%2emodels.test\r\n",
        "Host: echo.models\0.test\r\n",
        "Host: [::1\r\n", "Host: echo.models.test#\r\n", "Host: echo.models.test?\r\n",
    ],
)  # fmt: skip
def test_a_host_that_is_not_exactly_one_name_is_refused(hostile: Router, echo: Model, lines: str):
    data = f"GET /v1/info HTTP/1.1\r\n{lines}Authorization: Bearer {TOKEN}\r\n\r\n".encode()

    refuses(hostile, data + SMUGGLED, {400})
    assert not echo.seen


@pytest.mark.parametrize(
    "host", ["ECHO.Models.Test", "echo.models.test:8000", "echo.models.test.", "echo.models.test:"]
)
def test_other_spellings_of_the_same_host_are_the_same_host(
    hostile: Router, echo: Model, host: str
):
    assert hostile.query(host=host).status == 200


def test_absolute_form_wins_and_must_not_differ(hostile: Router, echo: Model):
    target = "http://echo.models.test/v1/query"
    same = head("POST", target, host="echo.models.test", body=b"{}")
    other = head("POST", target, host="pass.models.test", body=b"{}")

    assert hostile.wire().send(same).read().json["line"] == "POST /run HTTP/1.1"
    refuses(hostile, other + SMUGGLED, {400})


@pytest.mark.parametrize(
    "line",
    [
        "GET /v1/info", "GET /v1/info HTTP/0.9", "GET /v1/info HTTP/2.0", "GET /v1/info HTTP/1.2",
        "GET  /v1/info HTTP/1.1", "GET /v1/info  HTTP/1.1", "GET\t/v1/info\tHTTP/1.1",
        "GET /v1/in fo HTTP/1.1", "get /v1/info HTTP/1.1", "G=T /v1/info HTTP/1.1",
        "GET v1/info HTTP/1.1", "GET ftp://echo.models.test/v1/info HTTP/1.1",
        "GET /v1/info\x00 HTTP/1.1", "GET /v1/info HTTP/1.1 x", "GET /v1/info http/1.1",
        "CONNECT echo.models.test:80 HTTP/1.1", "PRI * HTTP/2.0", "", " GET /v1/info HTTP/1.1",
    ],
)  # fmt: skip
def test_a_request_line_that_is_none_is_refused(hostile: Router, echo: Model, line: str):
    data = f"{line}\r\nHost: echo.models.test\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()

    wire = hostile.wire().send(data + SMUGGLED)

    assert wire.read().status in {400, 405, 505}
    assert not echo.seen


@pytest.mark.parametrize(
    "data",
    [
        b"GET /v1/info HTTP/1.1\nHost: echo.models.test\n\n",
        b"GET /v1/info HTTP/1.1\r\nHost: echo.models.test\n\n",
        b"GET /v1/info HTTP/1.1\rHost: echo.models.test\r\r",
        b"GET /v1/info HTTP/1.1\r\nHost: echo.models.test\r\r\n",
    ],
)
def test_half_an_end_of_line_is_refused_at_once_and_not_waited_for(
    hostile: Router, echo: Model, data: bytes
):
    asked = time.monotonic()

    refuses(hostile, data, {400})

    assert time.monotonic() - asked < 5
    assert not echo.seen


@pytest.mark.parametrize(
    "path",
    ["/v1/%252e%252e/x", "/v1/x%252f..%252fy", "/v1/%25252e./x", "/v1/a%2fb", "/v1/a%5Cb",
     "/v1/a\\..\\b", "/v1/..;/x", "/v1/x/%00", "/v1/.."],
)  # fmt: skip
def test_what_a_path_means_is_never_open_to_the_model(hostile: Router, echo: Model, path: str):
    assert hostile.request("GET", path, host="pass.models.test").status == 400
    assert not echo.seen


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_no_method_that_talks_to_proxies_is_forwarded(hostile: Router, echo: Model, method: str):
    answer = hostile.request(method, "/v1/x", host="pass.models.test")

    assert answer.status in {400, 405}
    assert not echo.seen


def test_an_expectation_nobody_knows_is_417(hostile: Router, echo: Model):
    refuses(hostile, post("Expect: 200-ok", "Content-Length: 5", body=b"12345"), {417})


def test_a_coded_body_is_never_unpacked(hostile: Router, echo: Model):
    packed = gzip.compress(b'{"prompt": "a"}' * 1000)

    hostile.query(packed, headers=("Content-Encoding: gzip",))

    assert echo.seen[0].body == packed
    assert echo.seen[0].headers["content-encoding"] == "gzip"


def test_heads_beyond_the_limits_are_refused(hostile: Router, echo: Model):
    many = "".join(f"X-{number}: a\r\n" for number in range(3000))
    base = f"GET /v1/info HTTP/1.1\r\nHost: echo.models.test\r\nAuthorization: Bearer {TOKEN}\r\n"

    refuses(hostile, f"{base}{many}\r\n".encode(), {431})
    refuses(hostile, f"{base}X: {'a' * (1 << 20)}\r\n\r\n".encode(), {431})
    refuses(hostile, f"{base}{'X: a' * 9000}".encode(), {431})
    refuses(hostile, f"GET /{'a' * (1 << 20)} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), {414})
    refuses(hostile, (base + "X: a\r\n" * 99 + "\r\n").encode(), {431})
    assert not echo.seen


@pytest.mark.parametrize(
    "first",
    [
        head("POST", "/v1/query", token="wrong", body=SMUGGLED),
        head("POST", "/v1/query", host="nobody.models.test", body=SMUGGLED),
        head("GET", "/v1", body=SMUGGLED),
        head("OPTIONS", "/v1/query", token=None, body=SMUGGLED),
        head("HEAD", "/v1", body=SMUGGLED),
        head("DELETE", "/v1/query", body=SMUGGLED),
        head("GET", "/nowhere", body=SMUGGLED),
        head("POST", "/v1/query", token="wrong", headers=("Transfer-Encoding: chunked",))
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
    ],
)
def test_a_request_hidden_in_an_unread_body_never_runs(hostile: Router, echo: Model, first: bytes):
    wire = hostile.wire().send(first + head("GET", "/v1", headers=("Connection: close",)))

    statuses = [int(part[:3]) for part in wire.rest().split(b"HTTP/1.1 ")[1:]]

    assert len(statuses) <= 2
    assert statuses[1:] in ([], [200])
    assert not echo.seen


def test_a_body_cut_short_is_never_passed_on_as_whole(hostile: Router, echo: Model):
    for data in (
        post("Content-Length: 100", body=b"x" * 50),
        post("Transfer-Encoding: chunked", body=b"64\r\n" + b"x" * 50),
        post("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"),
    ):
        hostile.wire().send(data).close()
    time.sleep(0.3)

    assert not echo.seen


def test_pipelined_requests_are_answered_in_order(hostile: Router, echo: Model):
    wire = hostile.wire()

    wire.send(b"".join(head("POST", "/v1/query", body=b"%d" % number) for number in range(20)))

    assert [wire.read().json["body"] for _ in range(20)] == [str(number) for number in range(20)]


def test_what_reaches_the_model_is_clean(hostile: Router, echo: Model):
    answer_ = hostile.query(
        headers=(
            "Cookie: sessionid=secret; csrftoken=x; __Host-session=y; theme=dark",
            "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil", "X-Forwarded-Proto: gopher",
            "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Dormouse-State: root",
            "X_Forwarded_For: 6.6.6.6", "Connection: keep-alive, X-Named, X-Request-Id",
            "X-Named: hop", "Keep-Alive: timeout=5", "TE: trailers", "Proxy-Authorization: x",
            "X-Request-Id: mine", "X-Runway-Output-Format: a=PNG", "Accept: a/b",
        )
    )  # fmt: skip

    said = answer_.json["headers"]
    assert said.pop("x-request-id") == answer_.headers["x-request-id"] != "mine"
    assert said.pop("host").startswith("127.0.0.1:")
    assert said == {
        "cookie": "theme=dark", "x-runway-output-format": "a=PNG", "accept": "a/b",
        "content-type": "application/json", "content-length": "15", "accept-encoding": "identity",
        "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
        "x-forwarded-host": "echo.models.test",
    }  # fmt: skip
    assert TOKEN.encode() not in echo.received


def test_a_models_cookie_stays_with_its_own_host(hostile: Router, echo: Model):
    echo.handler = answer(
        headers=(
            "Content-Type: application/json", "Set-Cookie: a=b; Domain=models.test; Path=/",
            "Connection: X-Hop", "X-Hop: 1", "X-Dormouse-State: evil",
        )
    )  # fmt: skip
    try:
        said = hostile.query().headers
    finally:
        echo.handler = Model().handler

    assert said["set-cookie"] == "a=b; Path=/"
    assert "x-hop" not in said
    assert said["x-dormouse-state"] == "awake"


@pytest.mark.once
def test_a_slow_head_is_closed_and_keeps_nobody_waiting(
    tmp_path: Path, hostile: Router, echo: Model
):
    drips = [hostile.wire().send(b"GET /v1/info HTTP/1.1\r\nHost: ec") for _ in range(400)]
    taken = []
    for number in range(200):
        drips[number].send(b"h")
        asked = time.monotonic()
        assert hostile.query().status == 200
        taken.append(time.monotonic() - asked)

    assert sorted(taken)[-2] < 1  # the 99th percentile
    assert wait_until(lambda: drips[0].rest(), seconds=25).startswith(b"HTTP/1.1 408 ")
