"""Image references: read in no time, whatever they are."""

import pytest

from hosting.runtimes.images import is_reference

DIGEST = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    "image",
    [
        "echo",
        "echo:1",
        f"echo{DIGEST}",
        "team/echo:1",
        "localhost/echo",
        "registry.example.org:5000/team/my-echo__server.v2:1",
        "Registry.example.org./echo",
        "10.0.0.7:5000/echo",
        f"ghcr.io/team/echo:1{DIGEST}",
        DIGEST[1:],
    ],
)
def test_what_is_a_reference(image):
    assert is_reference(image)


@pytest.mark.parametrize(
    "image",
    ["", "Echo", "-echo", "a..b/echo", "host:/echo", "https://host/echo", "echo@md5:0", "é", "a b"],
)
def test_what_is_none(image):
    assert not is_reference(image)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("end", ["", ":1", "/x", "/X", "@md5:0"])
@pytest.mark.parametrize("name", ["a" * 200, "a-" * 99 + "a", "a." * 99 + "a"])
def test_a_long_name_is_read_at_once(name, end):
    assert is_reference(name + end) is (end in ("", ":1", "/x"))
