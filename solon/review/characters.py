"""Characters that a reader cannot see, by name, and the direction in which a text is read."""

from __future__ import annotations

import html
import re
import unicodedata

OPEN, CLOSE = "\ue000", "\ue001"
"""Private-use marks around the name of a hidden character, until the text is HTML."""

HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ue000-\uf8ff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff\ud800-\udfff]"
    # joiners and variation selectors are part of emoji and of many scripts; beside ASCII they only hide
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])|(?<![^\x00-\x7f#*0-9])[\ufe00-\ufe0f]"
)
_MARKED = re.compile(f"{OPEN}.*?{CLOSE}")
_NUMBER, _UNIT = r"\d[\d.,:]{0,20}", r"[A-Za-zµμ°%Ω][A-Za-zµμ°²³·]{0,12}"
_QUANTITY = re.compile(
    rf"(?<![\w.])(?:[<>≤≥=±~≈]\s?)?[-−+]?{_NUMBER}(?:\s?[-–—×x*/]\s?{_NUMBER}){{0,4}}\s?{_UNIT}"
    rf"(?:\s?/\s?(?:{_NUMBER}\s?)?{_UNIT}){{0,4}}"
)
"""A number, or a range of numbers, with its sign and its unit in Latin letters: `< 30 mL/min/1.73 m²`."""


def show_hidden(text: str) -> str:
    """Return text in which the names of characters stand that hide or reorder it, between private-use marks.

    The text is not HTML yet; for words that never become HTML there is `name_hidden`.
    """
    return HIDDEN.sub(lambda found: name_mark(found.group()), text.replace("\r\n", "\n"))


def name_mark(character: str) -> str:
    """Return the name of a character between private-use marks."""
    return f"{OPEN}U+{ord(character):04X}{CLOSE}"


def name_hidden(text: str) -> str:
    """Return text in which the names of hidden characters stand, as `<U+200B>`: for titles and short words."""
    return show_hidden(text).replace(OPEN, "<").replace(CLOSE, ">")


def show_marks(rendered: str) -> str:
    """Return HTML with the marks of `show_hidden` as elements, and by name whatever is hidden still."""
    rendered = rendered.replace(OPEN, '<span class="hidden-char">').replace(CLOSE, "</span>")
    return HIDDEN.sub(lambda found: f'<span class="hidden-char">U+{ord(found.group()):04X}</span>', rendered)


def direction(text: str) -> str:
    """Return `ltr` or `rtl` by the first letter that has a direction; empty where no letter has one."""
    for character in _MARKED.sub("", text):
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return ""


def turns(text: str) -> bool:
    """Tell whether some letter of a text is read from right to left."""
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


def isolate(text: str) -> str:
    """Return a text with right-to-left letters as HTML, with numbers that have a Latin unit set apart, left to right:
    the dose range 250-500 mg would else be shown as 500-250."""
    parts, last = [], 0
    for found in _QUANTITY.finditer(text):
        parts.append(html.escape(text[last : found.start()]))
        parts.append(f'<span dir="ltr">{html.escape(found.group())}</span>')
        last = found.end()
    return "".join(parts) + html.escape(text[last:])
