"""Makes the two language models at build time: `python train.py` writes models/<name>.bin.

A model is its text, a suffix array over it, and one discount. The array makes "what has followed
these characters" a binary search for a context of any length, so nothing else need be stored. The
discount is chosen on text the counts have not seen.
"""

import json
import math
import struct
import sys
import time
from array import array
from pathlib import Path

from language_model import END, LanguageModel

HELD_OUT_EVERY = 9
DISCOUNTS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)


def main(folder: Path) -> None:
    (folder / "models").mkdir(exist_ok=True)
    for corpus in sorted((folder / "corpus").glob("*.txt")):
        begun = time.monotonic()
        pieces = [piece.strip() for piece in corpus.read_text().split("\n\n")]
        discount, bits = chosen_discount(pieces)
        text = joined(pieces)
        data = text.encode("latin-1")
        head = json.dumps({"discount": discount, "characters": len(data)}).encode()
        suffixes = suffix_array(data)
        target = folder / "models" / f"{corpus.stem}.bin"
        target.write_bytes(struct.pack("<I", len(head)) + head + data + suffixes.tobytes())
        print(
            f"{corpus.stem}: {len(pieces)} pieces, {len(text)} characters, discount {discount}, "
            f"{bits:.2f} bits a character held out, {time.monotonic() - begun:.1f} s"
        )


def chosen_discount(pieces: list[str]) -> tuple[float, float]:
    """The discount under which held-out pieces surprise least, and by how much they do."""
    seen = joined([piece for n, piece in enumerate(pieces) if n % HELD_OUT_EVERY])
    unseen = joined([piece for n, piece in enumerate(pieces) if n % HELD_OUT_EVERY == 0])[:1500]
    data = seen.encode("latin-1")
    suffixes = suffix_array(data)
    scored = []
    for discount in DISCOUNTS:
        model = LanguageModel(data, suffixes, discount=discount)
        scored.append((surprise(model, unseen.encode("latin-1")), discount))
    bits, discount = min(scored)
    return discount, bits


def surprise(model: LanguageModel, text: bytes) -> float:
    """Mean bits for a character, given those before it."""
    total = 0.0
    for position in range(1, len(text)):
        chances = model.next_chances(text[:position])
        # A character the model has never met gets what is left for the unknown.
        total -= math.log2(chances.get(text[position], 1e-4))
    return total / (len(text) - 1)


def joined(pieces: list[str]) -> str:
    """Every piece begins after an end, the first too."""
    return END + END.join(" ".join(piece.split()) for piece in pieces) + END


def suffix_array(data: bytes) -> array:
    """The places in the text in the order of what follows them."""
    # Contexts are short; 32 characters settle the order of all that can be asked for.
    return array("I", sorted(range(len(data)), key=lambda start: data[start : start + 32]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
