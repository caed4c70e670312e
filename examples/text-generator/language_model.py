"""A language model of words: n-grams with interpolated backoff over a small corpus.

Words, not characters: a character model this small invents words, and a made-up word is what a
reader stumbles over first.
"""

import bisect
import json
import random
import re
from array import array
from collections import Counter
from itertools import pairwise
from pathlib import Path

END = 0  # the end of a text, and what stands before each beginning
UNKNOWN = 1  # a word of the prompt that the corpus doesn't have
MARKS = ".,;:!?"
SENTENCE_ENDS = ".!?"
LONGEST_CONTEXT = 4
_OPENING = tuple("([{\"'“‘«-/")
_PIECE = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]")
_KEPT_COUNTS = 20_000


class LanguageModel:
    """The words of a text, a suffix array over them, and the share of a count kept for backoff."""

    def __init__(
        self, vocabulary: list[str], words: array, suffixes: array, *, discount: float
    ) -> None:
        self.vocabulary = vocabulary
        self._words = words
        self._suffixes = suffixes
        self._discount = discount
        self._numbers = {word.lower(): number for number, word in enumerate(vocabulary)}
        self._counts: dict[tuple[int, ...], Counter[int] | None] = {}
        self._counts[(UNKNOWN,)] = _after_rare_words(words)

    @classmethod
    def load(cls, path: Path) -> "LanguageModel":
        """Read what train.py wrote."""
        head, _, tables = path.read_bytes().partition(b"\n")
        about = json.loads(head)
        size = 2 * about["words"]
        words, suffixes = array("H"), array("H")
        words.frombytes(tables[:size])
        suffixes.frombytes(tables[size:])
        return cls(about["vocabulary"], words, suffixes, discount=about["discount"])

    def generate(
        self, prompt: str, *, characters: int, top_p: float, seed: int
    ) -> tuple[str, bool]:
        """Continue the prompt in whole words; also say whether the text came to its end."""
        chance = random.Random(seed)
        written, rest = self._read(prompt)
        text = rest
        if len(text) <= characters:
            while True:
                word = sample(self.next_chances(written), top_p=top_p, chance=chance)
                if word == END:
                    return text, True
                piece = self._spelled(word, written, after=prompt + text)
                if len(text) + len(piece) > characters:
                    break
                text += piece
                written.append(word)
        # Cut through a word only where not even the first one fits.
        return text or piece[:characters], False

    def next_chances(self, written: list[int]) -> dict[int, float]:
        """The chance of every next word. Long contexts speak first, short ones fill in.

        What follows nothing in particular has a say only where nothing was ever read after the
        last word: it would put any word anywhere.
        """
        chances: dict[int, float] = {}
        for length in range(1, min(LONGEST_CONTEXT, len(written)) + 1):
            counts = self._followers(tuple(written[-length:]))
            if not counts:
                break  # nothing longer has been read either
            chances = self._mixed(chances, counts)
        return chances or self._mixed({}, self._followers(()) or Counter())

    def numbers(self, text: str) -> list[int]:
        """The words of any text, as far as they are known."""
        return [self._numbers.get(each.lower(), UNKNOWN) for each in pieces(text)]

    def _mixed(self, shorter: dict[int, float], counts: Counter[int]) -> dict[int, float]:
        """Take the discount off every count, and give it to what the shorter context says."""
        total = counts.total()
        left = self._discount * len(counts) / total if shorter else 0.0
        kept = self._discount if shorter else 0.0
        chances = {word: chance * left for word, chance in shorter.items()}
        for word, count in counts.items():
            chances[word] = chances.get(word, 0.0) + (count - kept) / total
        return chances

    def _read(self, prompt: str) -> tuple[list[int], str]:
        """The prompt as numbers, and the rest of its last word if that is only begun."""
        numbers = [END, *self.numbers(prompt)]
        rest = ""
        if numbers[-1] == UNKNOWN and prompt[-1].isalpha():
            begun = pieces(prompt)[-1].lower()
            number = self._completed(begun)
            if number != UNKNOWN:
                numbers[-1] = number
                rest = self.vocabulary[number][len(begun) :]
        return numbers, rest

    def _completed(self, begun: str) -> int:
        """The word most often met of those that begin so: “dormou” wants to be a dormouse."""
        met = self._followers(()) or Counter()
        fitting = [n for word, n in self._numbers.items() if word.startswith(begun) and n in met]
        return max(fitting, key=lambda number: met[number], default=UNKNOWN)

    def _spelled(self, number: int, written: list[int], *, after: str) -> str:
        """The word with its space and its capital."""
        word = self.vocabulary[number]
        if word in MARKS:
            return word
        if written[-1] == END or self.vocabulary[written[-1]] in SENTENCE_ENDS:
            word = word[0].upper() + word[1:]
        joined = not after or after[-1].isspace() or after.endswith(_OPENING)
        return word if joined else f" {word}"

    def _followers(self, context: tuple[int, ...]) -> Counter[int] | None:
        """How often each word has followed these."""
        if context not in self._counts:
            if len(self._counts) > _KEPT_COUNTS:
                self._counts = {(UNKNOWN,): self._counts[UNKNOWN,]}
            self._counts[context] = self._count(array("H", context))
        return self._counts[context]

    def _count(self, context: array) -> Counter[int] | None:
        words, length = self._words, len(context)

        def beginning(start: int) -> array:
            return words[start : start + length]

        low = bisect.bisect_left(self._suffixes, context, key=beginning)
        high = bisect.bisect_right(self._suffixes, context, lo=low, key=beginning)
        ends = (start + length for start in self._suffixes[low:high])
        return Counter(words[end] for end in ends if end < len(words)) or None


def pieces(text: str) -> list[str]:
    """Words, numbers and marks, each by itself."""
    return _PIECE.findall(text)


def sample(chances: dict[int, float], *, top_p: float, chance: random.Random) -> int:
    """Draw from the likeliest words that together make up `top_p`."""
    ranked = sorted(chances.items(), key=lambda pair: (-pair[1], pair[0]))
    kept, mass = [], 0.0
    for word, likely in ranked:
        kept.append((word, likely))
        mass += likely
        if mass >= top_p:
            break
    drawn = chance.random() * mass
    for word, likely in kept:
        drawn -= likely
        if drawn <= 0:
            return word
    return kept[-1][0]


def _after_rare_words(words: array) -> Counter[int]:
    """What follows a word nobody has read before: the same as follows those read only once."""
    met = Counter(words)
    pairs = pairwise(words)
    return Counter(then for word, then in pairs if met[word] == 1 and then != END)
