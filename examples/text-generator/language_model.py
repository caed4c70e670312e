"""A character language model: n-grams of any length with interpolated backoff."""

import bisect
import json
import random
import struct
from array import array
from collections import Counter
from pathlib import Path

END = "\x03"  # the end of a text, and what stands before each beginning
LONGEST_CONTEXT = 10
_KEPT_COUNTS = 20_000


class LanguageModel:
    """The text, its suffix array, and a discount: the share of every count kept for backoff."""

    def __init__(self, data: bytes, suffixes: array, *, discount: float) -> None:
        self._data = data
        self._suffixes = suffixes
        self._discount = discount
        self._counts: dict[bytes, Counter[int] | None] = {}

    @classmethod
    def load(cls, path: Path) -> "LanguageModel":
        """Read what train.py wrote."""
        content = path.read_bytes()
        (length,) = struct.unpack_from("<I", content)
        head = json.loads(content[4 : 4 + length])
        start = 4 + length
        end = start + head["characters"]
        suffixes = array("I")
        suffixes.frombytes(content[end:])
        return cls(content[start:end], suffixes, discount=head["discount"])

    def generate(
        self, prompt: str, *, characters: int, top_p: float, seed: int
    ) -> tuple[str, bool]:
        """Continue the prompt; also say whether the text came to its end."""
        chance = random.Random(seed)
        written = (END + prompt).encode("latin-1", errors="replace")
        begun = len(written)
        while len(written) - begun < characters:
            letter = sample(self.next_chances(written), top_p=top_p, chance=chance)
            if letter == ord(END):
                return written[begun:].decode("latin-1"), True
            written += bytes([letter])
        return written[begun:].decode("latin-1"), False

    def next_chances(self, written: bytes) -> dict[int, float]:
        """The chance of every next character. Long contexts speak first, short ones fill in."""
        alphabet = self._followers(b"") or Counter()
        chances = {letter: 1 / len(alphabet) for letter in alphabet}
        for length in range(min(LONGEST_CONTEXT, len(written)) + 1):
            counts = self._followers(written[len(written) - length :])
            if not counts:
                break  # nothing longer has been seen either
            total = counts.total()
            left = self._discount * len(counts) / total
            chances = {letter: chance * left for letter, chance in chances.items()}
            for letter, count in counts.items():
                chances[letter] += (count - self._discount) / total
        return chances

    def _followers(self, context: bytes) -> Counter[int] | None:
        """How often each character has followed this context."""
        if context not in self._counts:
            if len(self._counts) > _KEPT_COUNTS:
                self._counts.clear()
            self._counts[context] = self._count(context)
        return self._counts[context]

    def _count(self, context: bytes) -> Counter[int] | None:
        data, length = self._data, len(context)

        def beginning(start: int) -> bytes:
            return data[start : start + length]

        low = bisect.bisect_left(self._suffixes, context, key=beginning)
        high = bisect.bisect_right(self._suffixes, context, lo=low, key=beginning)
        ends = (start + length for start in self._suffixes[low:high])
        return Counter(data[end] for end in ends if end < len(data)) or None


def sample(chances: dict[int, float], *, top_p: float, chance: random.Random) -> int:
    """Draw from the likeliest characters that together make up `top_p`."""
    ranked = sorted(chances.items(), key=lambda pair: (-pair[1], pair[0]))
    kept, mass = [], 0.0
    for letter, likely in ranked:
        kept.append((letter, likely))
        mass += likely
        if mass >= top_p:
            break
    drawn = chance.random() * mass
    for letter, likely in kept:
        drawn -= likely
        if drawn <= 0:
            return letter
    return kept[-1][0]
