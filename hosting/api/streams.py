"""Files that are made while they are sent."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

LINES_AT_ONCE = 1_000


class LinesResponse(StreamingHttpResponse):
    """Sends lines as they are made. Django would gather all of them first: views are not async."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """So many at a time, each time in the thread of the view: it holds the connection."""
        lines: Iterator[bytes] = iter(self.streaming_content)  # type: ignore[arg-type]
        while piece := await sync_to_async(_piece)(lines):
            yield piece


def _piece(lines: Iterator[bytes]) -> bytes:
    return b"".join(islice(lines, LINES_AT_ONCE))
