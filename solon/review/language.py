"""The language of the pages: what they say, found by the English texts that stand in templates and scripts."""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from solon.errors import ConfigError
from solon.reading import read_toml

FOLDER = Path(__file__).parent / "texts"
ENGLISH = "en"
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he"})
ADVICE = f"give `{ENGLISH}`, or a TOML file with the texts as `[review] language`"
_TAG = re.compile(r"<[^>]*>|<")
_NAME = re.compile(r"%\((\w+)\)s")
_VALUE = re.compile(r"%\(\d+\)s")
LEAST_OWN = 12
"""A composed text with fewer characters of its own is no more than one sentence."""
SENTENCES = (". ", "; ")
_NUMBER = re.compile(r"[\d.,]+ ")
LONGEST_TOLD = 1000
"""What is longer, in characters, is no text that the server composed of a few values."""

Text = str | list[str]


@dataclass(frozen=True)
class Language:
    """What the pages say in one language. What is not translated is said in English.

    Attributes:
        code: its BCP 47 tag, such as `pt-BR`.
        pages: English text of a page -> the same in this language; a list where it depends on a number.
        scripts: the same of what the scripts of the pages say, as far as it differs from the English.
        told: likewise of what the server composes: why something was refused, why an item came to people. `%(1)s`
            stands for the first value in it.
        form: number -> place of the text in such a list.
    """

    code: str
    pages: Mapping[str, Text] = field(default_factory=dict)
    scripts: Mapping[str, Text] = field(default_factory=dict)
    told: Mapping[str, Text] = field(default_factory=dict)
    form: Callable[[int], int] = field(default=lambda n: int(n != 1))

    @property
    def direction(self) -> str:
        """The direction in which it is written: `ltr` or `rtl`."""
        return "rtl" if self.code.partition("-")[0].lower() in RIGHT_TO_LEFT else "ltr"

    def gettext(self, text: str) -> str:
        """Return a text in this language."""
        found = self.pages.get(text, text)
        return found if isinstance(found, str) else found[0]

    def ngettext(self, one: str, many: str, n: int) -> str:
        """Return the form of a text that goes with a number, found by its singular."""
        found = self.pages.get(one)
        if not isinstance(found, list):
            return one if n == 1 else many
        return found[min(self.form(n), len(found) - 1)]

    def tell(self, text: str) -> str:
        """Return what the server composed in English in this language; values in it, and what is not translated, stay.

        A list is told part by part, and so are values that are composed themselves.
        """
        if not self.told or len(text) > LONGEST_TOLD:
            return text
        number = _NUMBER.match(text)
        if number and isinstance(known := self.told.get(text[number.end() :]), str):  # no other text's values
            return f"{number[0]}{known}"
        found = self._find(text)
        if found is None and text[-1:] == "." and (found := self._find(text[:1].lower() + text[1:-1])):
            found = f"{found[:1].upper()}{found[1:]}."
        if found is not None:
            return found
        for joint in (*SENTENCES, ": ", ", "):
            if joint in text:
                return joint.join(self.tell(part) for part in text.split(joint))
        return f"{number[0]}{self.tell(text[number.end() :])}" if number else text

    def tell_first(self, text: str) -> str:
        """Return a text with its first line told in this language: a question, above what it is about."""
        question, *about = text.split("\n", 1)
        return "\n".join([self.tell(question), *about])

    def _find(self, text: str) -> str | None:
        known = self.told.get(text) or self.pages.get(text)
        if isinstance(known, str):
            return known
        for parts, said in self._composed:
            values = _fill(parts, text)
            short = sum(map(len, parts)) < LEAST_OWN  # "%(1)s of %(2)s" is found in many a sentence
            if values is not None and not (short and any(joint in text for joint in SENTENCES)):
                told = {str(place): self.tell(value) for place, value in enumerate(values, 1)}
                return said % told
        return None

    @cached_property
    def _composed(self) -> list[tuple[list[str], str]]:
        """What stands around the values of each composed text, and the text in this language; those that say most come
        first."""
        composed = [
            ([part.replace("%%", "%") for part in _VALUE.split(text)], said)
            for text, said in self.told.items()
            if isinstance(said, str) and _VALUE.search(text)
        ]
        return sorted(composed, key=lambda one: -len("".join(one[0])))

    def word(self, code: str) -> str:
        """Return a stored code, such as `both_bad`, in words of this language; what is no word of ours stays."""
        return self.gettext(str(code).replace("_", " "))


IN_ENGLISH = Language(ENGLISH)


@lru_cache(maxsize=16)
def read_language(name: str) -> Language:
    """Return a language, read once.

    Args:
        name: a language that is shipped, by its code, or the path of a TOML file: `language`, `plural` (gettext's
            formula) and the tables `pages`, `scripts` and `told`, as in `texts/en.toml`.

    Raises:
        ConfigError: there is no such file, or it is none of texts of the pages.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{Path(name).name}.toml"
    found = read_toml(path, raises=ConfigError, next_step=ADVICE)
    code = found.get("language")
    if not isinstance(code, str) or not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", code):
        raise ConfigError(f"{name}: language: {code!r} is no language tag", next_step='write e.g. "pt-BR"')
    form = _read_plural(name, str(found.get("plural", "n != 1")))
    pages, scripts, told = (_checked(name, found.get(part, {})) for part in ("pages", "scripts", "told"))
    return Language(code, pages, _differing(scripts), _differing(told), form)


def _read_plural(name: str, formula: str) -> Callable[[int], int]:
    """The function of a formula of gettext, which gives a form for every number that was tried."""
    n = None
    try:
        form = gettext.c2py(formula)
        for n in range(1001):
            if form(n) < 0:
                raise ValueError(f"there is no form {form(n)}")
    except (ValueError, ZeroDivisionError) as error:
        where = "" if n is None else f", for n = {n}"
        raise ConfigError(
            f"{name}: plural: {formula[:200]!r}: {error}{where}",
            next_step="write a formula of gettext: n != 1",
        ) from None
    return form


def _differing(texts: Mapping[str, Text]) -> dict[str, Text]:
    """The texts that are not as in English, which needs no table."""
    return {text: said for text, said in texts.items() if text != said}


def _fill(parts: Sequence[str], text: str) -> list[str] | None:
    """The values between these parts of a text, each up to the next part's first place; None where they are not its."""
    first, *rest = parts
    if not text.startswith(first):
        return None
    values, at = [], len(first)
    for place, part in enumerate(rest, 1):
        end = len(text) - len(part) if place == len(rest) else text.find(part, at)
        if end < at or not text.startswith(part, end):
            return None
        values.append(text[at:end])
        at = end + len(part)
    return values


def _checked(name: str, texts: Any) -> dict[str, Text]:
    """The texts of one table that say something, each with no other tags and names than the English has."""
    if not isinstance(texts, dict):
        raise ConfigError(f"{name}: pages, scripts and told are tables of texts", next_step=ADVICE)
    for text, said in texts.items():
        for one in said if isinstance(said, list) and said else [said]:
            if not isinstance(one, str):
                raise ConfigError(
                    f"{name}: {text!r} is no text", next_step="write a text, or a list of forms"
                )
            _check_one(name, text, one)
    return {text: said for text, said in texts.items() if said}


def _check_one(name: str, text: str, said: str) -> None:
    if sorted(_TAG.findall(said)) != sorted(_TAG.findall(text)) and said:
        raise ConfigError(
            f"{name}: {text!r}: other tags than the English has", next_step="take its tags over"
        )
    names = set(_NAME.findall(text))
    if not names:
        return
    try:
        said % dict.fromkeys(names, "")
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{name}: {text!r}: {said!r} cannot be filled in ({error})",
            next_step=f"use {', '.join(f'%({one})s' for one in sorted(names))}, and %% for a percent sign",
        ) from None
