"""The chain: whatever is done to it, the record it was done to is named."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hosting.metering import chain
from hosting.metering.chain import Break, Link


def chained(number: int) -> list[Link]:
    links, head = [], b""
    for position in range(1, number + 1):
        said = b"request %d" % position
        head = chain.link(head, said)
        links.append(Link(f"id-{position}", position, said, head))
    return links


def found(links: list[Link], *, of: int) -> list[Break]:
    return list(chain.breaks(links, length=of, head=chained(of)[-1].digest if of else b""))


def test_an_untouched_chain_is_whole():
    assert found(chained(20), of=20) == []
    assert found([], of=0) == []


@given(st.integers(1, 20))
def test_a_changed_record_is_named(position):
    links = chained(20)
    links[position - 1] = replace(links[position - 1], said=b"something else")

    assert found(links, of=20) == [Break("tampered", position, f"id-{position}")]


@given(st.sets(st.integers(1, 20), min_size=1))
def test_missing_records_are_named(gone):
    links = [each for each in chained(20) if each.position not in gone]

    assert found(links, of=20) == [Break("missing", position) for position in sorted(gone)]


@given(st.integers(1, 20))
def test_a_record_that_is_there_twice_is_named(position):
    links = chained(20)
    links.insert(position, replace(links[position - 1], id="copy"))

    assert found(links, of=20) == [Break("doubled", position, "copy")]


def test_a_chain_made_anew_does_not_end_as_it_did():
    head = chain.link(b"", b"cheaper")

    assert list(chain.breaks([Link("id", 1, b"cheaper", head)], length=1, head=b"?")) == [
        Break("tampered", 0)
    ]
