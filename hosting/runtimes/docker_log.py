"""The engine's log of one container: frames in, lines with their time and stream out."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from hosting.runtimes.base import Output, Stream

LONGEST_LINE_BYTES = 16 * 1024  # what is longer is cut; the engine splits there, too
_HEADER_BYTES = 8  # the stream, three zeros, the length in network order
_STREAMS = {1: Stream.OUT, 2: Stream.ERR}
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z ")


def lines(chunks: Iterable[bytes]) -> Iterator[Output]:
    """Read what `GET /containers/…/logs?timestamps=1` answers, however it is cut.

    A long line comes in several frames, all with the time of the first.
    """
    begun: dict[int, tuple[int, bytes]] = {}
    for stream, payload in _frames(chunks):
        at, text = _timed(payload)
        started, before = begun.pop(stream, (at, b""))
        whole = before + text[: max(0, LONGEST_LINE_BYTES - len(before))]
        if text.endswith(b"\n"):
            yield _output(started, stream, whole)
        else:
            begun[stream] = (started, whole)
    for stream, (at, text) in begun.items():  # the last words of a container that was killed
        yield _output(at, stream, text)


def _frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        while len(data) >= _HEADER_BYTES:
            end = _HEADER_BYTES + int.from_bytes(data[4:_HEADER_BYTES])
            if len(data) < end:
                break
            yield data[0], bytes(data[_HEADER_BYTES:end])
            del data[:end]


def _timed(payload: bytes) -> tuple[int, bytes]:
    found = _TIME.match(payload)
    if found is None:
        return 0, payload
    seconds, fraction = found[1].decode(), (found[2] or b"").decode().ljust(9, "0")
    whole = int(datetime.fromisoformat(seconds + "+00:00").timestamp())
    return whole * 1_000_000_000 + int(fraction), payload[found.end() :]


def _output(at: int, stream: int, text: bytes) -> Output:
    name = _STREAMS.get(stream, Stream.OUT)
    return Output(at, name, text.rstrip(b"\r\n").decode(errors="replace"))
