"""MiniLM with nothing but numpy: WordPiece in, six layers of attention, a unit vector out."""

import json
import mmap
import unicodedata
from pathlib import Path

import numpy as np

LAYERS = 6
HEADS = 12
MOST_TOKENS = 256


class Encoder:
    """Weights are mapped, not copied: a cold start reads only the pages it uses."""

    def __init__(self, folder: Path) -> None:
        self._weights = mapped(folder / "model.safetensors")
        words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        self._ids = {word: number for number, word in enumerate(words)}

    def embed(self, sentence: str) -> np.ndarray:
        """The mean over all tokens, scaled to length one."""
        ids = [self._ids["[CLS]"], *self.tokens(sentence)[: MOST_TOKENS - 2], self._ids["[SEP]"]]
        hidden = self._embedded(ids)
        for layer in range(LAYERS):
            hidden = self._layer(hidden, f"encoder.layer.{layer}.")
        mean = hidden.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def tokens(self, sentence: str) -> list[int]:
        """Split into words, then each word into the longest pieces the vocabulary knows."""
        return [piece for word in words(sentence) for piece in self._pieces(word)]

    def _pieces(self, word: str) -> list[int]:
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self._ids.get(mark + word[start:end])
                if number is not None:
                    break
            else:
                return [self._ids["[UNK]"]]
            pieces.append(number)
            start = end
        return pieces

    def _embedded(self, ids: list[int]) -> np.ndarray:
        weights = self._weights
        hidden = weights["embeddings.word_embeddings.weight"][ids]
        hidden = hidden + weights["embeddings.position_embeddings.weight"][: len(ids)]
        hidden = hidden + weights["embeddings.token_type_embeddings.weight"][0]
        return self._normed(hidden, "embeddings.LayerNorm")

    def _layer(self, hidden: np.ndarray, name: str) -> np.ndarray:
        attended = self._attention(hidden, f"{name}attention.self.")
        attended = self._linear(attended, f"{name}attention.output.dense")
        hidden = self._normed(hidden + attended, f"{name}attention.output.LayerNorm")
        wide = gelu(self._linear(hidden, f"{name}intermediate.dense"))
        narrow = self._linear(wide, f"{name}output.dense")
        return self._normed(hidden + narrow, f"{name}output.LayerNorm")

    def _attention(self, hidden: np.ndarray, name: str) -> np.ndarray:
        length, width = hidden.shape

        def heads(part: str) -> np.ndarray:
            projected = self._linear(hidden, name + part)
            return projected.reshape(length, HEADS, width // HEADS).transpose(1, 0, 2)

        scores = heads("query") @ heads("key").transpose(0, 2, 1) / np.sqrt(width // HEADS)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return (scores @ heads("value")).transpose(1, 0, 2).reshape(length, width)

    def _linear(self, hidden: np.ndarray, name: str) -> np.ndarray:
        return hidden @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normed(self, hidden: np.ndarray, name: str) -> np.ndarray:
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return centred / scale * weight + bias


def gelu(values: np.ndarray) -> np.ndarray:
    """Exact to 1e-7. numpy has no error function; this is Abramowitz and Stegun's 7.1.26."""
    size = np.abs(values) / np.float32(np.sqrt(2))
    t = 1 / (1 + 0.3275911 * size)
    series = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    error = np.sign(values) * (1 - series * np.exp(-size * size))
    return values * (1 + error) / 2


def words(sentence: str) -> list[str]:
    """Lower case, without accents; each mark and each Chinese character a word of its own."""
    plain = unicodedata.normalize("NFD", sentence.lower())
    spaced = []
    for letter in plain:
        kind = unicodedata.category(letter)
        if kind == "Mn" or letter in "\x00\ufffd":
            continue
        if kind in ("Cc", "Cf") and not letter.isspace():
            continue
        alone = kind.startswith("P") or letter in "$+<=>^`|~" or is_chinese(letter)
        spaced.append(f" {letter} " if alone else letter)
    return "".join(spaced).split()


def is_chinese(letter: str) -> bool:
    """The blocks BERT's vocabulary splits, not those of kana or hangul."""
    point = ord(letter)
    return (
        0x4E00 <= point <= 0x9FFF
        or 0x3400 <= point <= 0x4DBF
        or 0xF900 <= point <= 0xFAFF
        or 0x20000 <= point <= 0x2FA1F
    )


def mapped(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file: a length, a JSON head, then the numbers themselves."""
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:start])
    arrays = {}
    for name, entry in head.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(data, np.float32, (end - begin) // 4, start + begin)
        arrays[name.removeprefix("bert.")] = flat.reshape(entry["shape"])
    return arrays
