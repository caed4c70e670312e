"""A file of any length leaves piece by piece."""

import asyncio

from hosting.api.streams import LINES_AT_ONCE, LinesResponse


def test_no_more_lines_are_made_than_were_sent():
    made = []

    async def begin() -> bytes:
        response = LinesResponse(_lines(made, count=10 * LINES_AT_ONCE))
        return await anext(aiter(response))

    first = asyncio.run(begin())

    assert len(made) == LINES_AT_ONCE
    assert first == b"".join(made)


def test_all_lines_are_sent():
    made = []

    async def read() -> bytes:
        response = LinesResponse(_lines(made, count=2 * LINES_AT_ONCE + 1))
        return b"".join([piece async for piece in response])

    assert asyncio.run(read()) == b"".join(made)


def _lines(made, *, count):
    for number in range(count):
        made.append(f"{number}\n".encode())
        yield made[-1]
