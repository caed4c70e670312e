"""The engine's frames, however they are cut."""

from hypothesis import given
from hypothesis import strategies as st

from hosting.runtimes import docker_log
from hosting.runtimes.base import Output, Stream


def frame(stream, text, *, at="2026-06-01T12:00:00.000000001Z"):
    payload = f"{at} {text}".encode()
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4) + payload


NOON = 1_780_315_200_000_000_000


def test_each_frame_is_a_line_with_its_stream_and_its_time_to_the_nanosecond():
    data = frame(1, "out\n") + frame(2, "err\r\n", at="2026-06-01T12:00:01.5Z")

    assert list(docker_log.lines([data])) == [
        Output(NOON + 1, Stream.OUT, "out"),
        Output(NOON + 1_500_000_000, Stream.ERR, "err"),
    ]


def test_a_long_line_in_several_frames_is_one_line_even_with_another_stream_between():
    data = [frame(1, "begin "), frame(2, "err\n"), frame(1, "end\n")]

    assert [each.text for each in docker_log.lines(data)] == ["err", "begin end"]


def test_a_line_without_end_is_bounded():
    data = [frame(1, "x" * 16_000) for _ in range(100)]

    (only,) = docker_log.lines(data)

    assert len(only.text) == docker_log.LONGEST_LINE_BYTES


def test_last_words_without_a_newline_are_words():
    assert [each.text for each in docker_log.lines([frame(1, "Killed")])] == ["Killed"]


def test_a_stream_cut_in_a_frame_loses_that_frame_only():
    data = frame(1, "whole\n") + frame(1, "never whole\n")[:-3]

    assert [each.text for each in docker_log.lines([data])] == ["whole"]


def test_bytes_that_are_no_text_are_no_reason_to_fail():
    payload = b"2026-06-01T12:00:00Z \xff\xfe\n"
    data = bytes([1, 0, 0, 0]) + len(payload).to_bytes(4) + payload

    assert [each.text for each in docker_log.lines([data])] == ["��"]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=20), max_size=8
    ),
    st.data(),
)
def test_any_way_of_cutting_gives_the_same_lines(texts, data):
    whole = b"".join(frame(1 + n % 2, f"{text}\n") for n, text in enumerate(texts))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    assert list(docker_log.lines(pieces)) == list(docker_log.lines([whole]))
