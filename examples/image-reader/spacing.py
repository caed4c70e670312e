"""Puts back the spaces between words, which the recogniser mostly leaves out.

It says roughly where each character is; the picture says where nothing is. A blank stretch of a
line that is wide for the line's height, between two characters, is a space.
"""

import cv2
import numpy as np

# Of the line's height. Between letters it is a tenth at most, between words a quarter and more.
WIDE = 0.22
WIDE_BETWEEN_DIGITS = 0.4  # a 1 stands in a space of its own


def spaced(picture, corners, letters, letter_boxes):
    """The line's text with its spaces; unchanged where none can be told, as in slanted lines."""
    left, top, right, bottom = upright(corners, picture.shape)
    height = bottom - top
    if height < 6 or right - left < 6 or len(letters) != len(letter_boxes):
        return "".join(letters)
    gaps = blanks(picture[top:bottom, left:right])
    middles = [sum(x for x, _ in box) / len(box) - left for box in letter_boxes]
    line = letters[0]
    for number, letter in enumerate(letters[1:], start=1):
        digits = letters[number - 1].isdigit() and letter.isdigit()
        wide = height * (WIDE_BETWEEN_DIGITS if digits else WIDE)
        inside = (width for middle, width in gaps if middles[number - 1] < middle < middles[number])
        apart = max(inside, default=0) >= wide
        line += f" {letter}" if apart and not is_ideograph(letter) else letter
    return line


def upright(corners, shape):
    """The pixels around four corners, inside the picture."""
    across = [round(x) for x, _ in corners]
    down = [round(y) for _, y in corners]
    height, width = shape[:2]
    return max(min(across), 0), max(min(down), 0), min(max(across), width), min(max(down), height)


def blanks(line):
    """The stretches without ink as (middle, width), the margins left out."""
    grey = cv2.cvtColor(line, cv2.COLOR_BGR2GRAY)
    _, ink = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    if ink.mean() > 0.5:  # light letters on dark
        ink = 1 - ink
    columns = np.flatnonzero(ink.any(axis=0))
    steps = np.diff(columns)
    pairs = zip(columns, steps, strict=False)
    return [(float(column + step / 2), int(step) - 1) for column, step in pairs if step > 1]


def is_ideograph(letter):
    """Scripts that are written without spaces."""
    return "\u3040" <= letter <= "\u9fff"
