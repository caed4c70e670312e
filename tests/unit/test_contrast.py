"""The stylesheet's colours, pair by pair, in both themes."""

import re
from pathlib import Path

import pytest

import dashboard

STYLES = Path(dashboard.__file__).parent / "static/dashboard"
CSS = "".join(path.read_text() for path in sorted(STYLES.glob("*.css")))
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS
    )
}
STATES = ["awake", "awakening", "asleep", "failed", "paused"]
TEXT = [
    *[("text", ground) for ground in ("bg", "surface", "sunken")],
    *[("muted", ground) for ground in ("bg", "surface", "sunken")],
    ("accent", "surface"),
    ("accent", "bg"),
    ("accent-ink", "accent"),
    *[(f"{state}-fg", f"{state}-bg") for state in STATES],
]
MARKS = [
    ("field", "surface"),
    ("focus", "bg"),
    ("focus", "surface"),
    *[(state, "surface") for state in STATES if state != "paused"],
]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_can_be_read(ink: str, ground: str, theme: int):
    assert contrast(TOKENS[ink][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), MARKS)
def test_outlines_and_marks_can_be_seen(ink: str, ground: str, theme: int):
    assert contrast(TOKENS[ink][theme], TOKENS[ground][theme]) >= 3


def test_every_colour_a_rule_asks_for_is_a_token():
    asked = set(re.findall(r"var\(--([\w-]+)\)", CSS))
    given = set(re.findall(r"--([\w-]+):", CSS))

    assert asked <= given


def contrast(one: str, other: str) -> float:
    """The ratio as WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
