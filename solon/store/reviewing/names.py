"""Names of people, by which decisions, logs and pages tell them apart: none hides a character or passes for another."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from solon.errors import UsageError

LONGEST_NAME = 200
_JOINERS = "\u200c\u200d"
"""They hide nothing between letters of scripts that are written with them, such as Persian and Sinhala."""
_ALIKE = {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC"}
"""Scripts with letters that look the same (Unicode Technical Standard 39, section 4)."""
_DRAWN_AS = str.maketrans(
    "\u0430\u0431\u0432\u0435\u0437\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u0261"
    "\u03b1\u03b5\u03b7\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u0131",
    "a6be3kmhopctyxijsdhgaenikvoptuxi",
)  # fmt: skip
"""Small letters of Cyrillic and Greek, and some further ones -> the Latin letter or digit that they are drawn as."""


def check_name(name: str, taken: Iterable[str] = ()) -> str:
    """Return a name as it is kept: composed letters (NFC), single spaces.

    Args:
        taken: names that others have.

    Raises:
        UsageError: it is empty or too long, holds a character that is not seen or turns its direction, mixes scripts
            whose letters look alike within a word, or is read as one of those taken.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name or len(name) > LONGEST_NAME:
        raise UsageError(f"an expert needs a name of 1 to {LONGEST_NAME} characters")
    for place, letter in enumerate(name):
        if unicodedata.category(letter) in ("Cc", "Cf", "Cn", "Co", "Cs") and not _joins(name, place):
            raise UsageError(f"the name holds {_spell(letter)}, which is not seen", next_step="leave it out")
    for word in name.split():
        _check_scripts(word)
    drawn = _skeleton(name)
    if alike := sorted(other for other in taken if other != name and _skeleton(other) == drawn):
        raise UsageError(
            f"{name!r} is read as the expert {alike[0]!r}",
            next_step="choose a name that nobody takes for another, e.g. with the place of work",
        )
    return name


def _joins(name: str, place: int) -> bool:
    beside = name[max(place - 1, 0) : place] + name[place + 1 : place + 2]
    return name[place] in _JOINERS and len(beside) == 2 and not any(_script(one) in _ALIKE for one in beside)


def _check_scripts(word: str) -> None:
    scripts = [(letter, _script(letter)) for letter in word if letter.isalpha()]
    if len({script for _, script in scripts} & _ALIKE) > 1:
        most = max(scripts, key=lambda one: sum(script == one[1] for _, script in scripts))[1]
        odd = next(letter for letter, script in scripts if script != most)
        raise UsageError(
            f"{word!r} holds {_spell(odd)} among letters of another script",
            next_step="write it in one script",
        )


def _skeleton(name: str) -> str:
    """What a name looks like: names that look the same have the same one."""
    return unicodedata.normalize("NFKC", name).casefold().translate(_DRAWN_AS)


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def _spell(letter: str) -> str:
    return f"U+{ord(letter):04X} {unicodedata.name(letter, 'without a name')}"
