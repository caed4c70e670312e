"""Makes the two language models at build time: `python train.py` writes models/<name>.bin.

A model is the words of its text, a suffix array over them, and one discount. The array makes "what
has followed these words" a binary search for a context of any length, so nothing else need be
stored. The discount is chosen on text the counts have not seen.
"""

import json
import math
import sys
import time
from array import array
from collections import Counter
from pathlib import Path

from language_model import END, LONGEST_CONTEXT, SENTENCE_ENDS, LanguageModel, pieces

HELD_OUT_EVERY = 9
DISCOUNTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# What a word that has never followed is given when a model is judged by its surprise.
UNHEARD_OF = 1e-4


def main(folder: Path) -> None:
    (folder / "models").mkdir(exist_ok=True)
    for corpus in sorted((folder / "corpus").glob("*.txt")):
        begun = time.monotonic()
        texts = corpus.read_text().split("\n\n")
        vocabulary = ["", "\N{REPLACEMENT CHARACTER}", *spellings(texts)]
        discount, bits = chosen_discount(texts, vocabulary)
        words = joined(texts, vocabulary)
        suffixes = suffix_array(words)
        head = {"discount": discount, "words": len(words), "vocabulary": vocabulary}
        target = folder / "models" / f"{corpus.stem}.bin"
        tables = words.tobytes() + suffixes.tobytes()
        target.write_bytes(json.dumps(head).encode() + b"\n" + tables)
        print(
            f"{corpus.stem}: {len(texts)} texts, {len(words)} words, {len(vocabulary)} different "
            f"ones, discount {discount}, {bits:.2f} bits a word held out, "
            f"{time.monotonic() - begun:.1f} s"
        )


def spellings(texts: list[str]) -> list[str]:
    """Every word once. It has a capital if it keeps it in the middle of a sentence."""
    inside: Counter[str] = Counter()
    for text in texts:
        before = "."
        for piece in pieces(text):
            inside[piece if before not in SENTENCE_ENDS else piece.lower()] += before != "."
            before = piece
    chosen: dict[str, str] = {}
    for word, _ in sorted(inside.items(), key=lambda pair: (-pair[1], pair[0])):
        chosen.setdefault(word.lower(), word)
    return sorted(chosen.values())


def chosen_discount(texts: list[str], vocabulary: list[str]) -> tuple[float, float]:
    """The discount under which held-out texts surprise least, and by how much they do."""
    seen = joined([text for n, text in enumerate(texts) if n % HELD_OUT_EVERY], vocabulary)
    unseen = joined([text for n, text in enumerate(texts) if n % HELD_OUT_EVERY == 0], vocabulary)
    suffixes = suffix_array(seen)
    scored = []
    for discount in DISCOUNTS:
        model = LanguageModel(vocabulary, seen, suffixes, discount=discount)
        scored.append((surprise(model, list(unseen)[:400]), discount))
    bits, discount = min(scored)
    return discount, bits


def surprise(model: LanguageModel, words: list[int]) -> float:
    """Mean bits for a word, given those before it."""
    total = 0.0
    for position in range(1, len(words)):
        chances = model.next_chances(words[:position])
        total -= math.log2(chances.get(words[position], UNHEARD_OF))
    return total / (len(words) - 1)


def joined(texts: list[str], vocabulary: list[str]) -> array:
    """Every text begins after an end, the first too."""
    numbers = {word.lower(): number for number, word in enumerate(vocabulary)}
    words = array("H", [END])
    for text in texts:
        words.extend(numbers[piece.lower()] for piece in pieces(text))
        words.append(END)
    return words


def suffix_array(words: array) -> array:
    """The places in the text in the order of what follows them, as far as anybody will ask."""
    return array(
        "H", sorted(range(len(words)), key=lambda start: words[start : start + LONGEST_CONTEXT])
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
