"""What a replica wrote since it was last kept: bounded, and honest about what did not fit."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from hosting.runtimes.base import Output

MOST_BYTES = 256 * 1024
# Counting what is dropped costs time, too: past this much a reader waits until the next take.
MOST_DROPPED_BYTES = 8 * 1024 * 1024
LINE_OVERHEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class Taken:
    """The last lines that fit, and how many before them did not."""

    outputs: Sequence[Output]
    dropped: int
    uncounted: bool = False  # more than `dropped`: the engine was not read for a while


class Buffer:
    """Filled by one reader, emptied by another thread. The newest lines win."""

    def __init__(self) -> None:
        self._outputs: deque[Output] = deque()
        self._bytes = 0
        self._dropped = 0
        self._dropped_bytes = 0
        self._has_room = threading.Condition()
        self._closed = False

    def add(self, output: Output) -> bool:
        """Put a line in, waiting when far too much is dropped; False when nobody takes any more."""
        with self._has_room:
            self._outputs.append(output)
            self._bytes += size_of(output.text)
            while self._bytes > MOST_BYTES:
                gone = size_of(self._outputs.popleft().text)
                self._bytes -= gone
                self._dropped_bytes += gone
                self._dropped += 1
            while self._overrun and not self._closed:
                self._has_room.wait()
            return not self._closed

    def take(self) -> Taken:
        """Empty it."""
        with self._has_room:
            taken = Taken(tuple(self._outputs), self._dropped, uncounted=self._overrun)
            self._outputs.clear()
            self._bytes = self._dropped = self._dropped_bytes = 0
            self._has_room.notify_all()
            return taken

    def close(self) -> None:
        """Let the reader go."""
        with self._has_room:
            self._closed = True
            self._has_room.notify_all()

    @property
    def _overrun(self) -> bool:
        return self._dropped_bytes > MOST_DROPPED_BYTES


def size_of(text: str) -> int:
    """What a line costs where it is kept, near enough."""
    return len(text.encode()) + LINE_OVERHEAD_BYTES
