"""Colours as tokens: a light and a dark form of each."""

from __future__ import annotations

__all__ = ["TOKENS", "color"]


# Token → (light, dark). Blue and orange are told apart by every common form of colour blindness; ratios of text to paper
# are at least 4.5 in both.
TOKENS: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14171b"),
    "ink": ("#1b1f24", "#e8eaed"),
    "muted": ("#5b6571", "#a4adb8"),
    "rule": ("#d8dde3", "#30363d"),
    "accent": ("#0b63b5", "#6cb0f5"),
    "second": ("#b34e08", "#f0a165"),
    "fill": ("#cfe0f3", "#274460"),
    "wash": ("#f6f8fa", "#1b2026"),
    "onaccent": ("#fefefe", "#10151b"),
}


def color(token: str) -> str:
    """Return the light colour of a token, to draw with; :func:`svg` turns it into a variable.

    Examples
    --------
    >>> color("accent")
    '#0b63b5'
    """
    return TOKENS[token][0]
