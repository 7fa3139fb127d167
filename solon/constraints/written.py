"""Constraints as an expert writes them into a row of seeds: which there are, and what contradicts itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from solon.constraints.constraint import Check, Constraint
from solon.constraints.ifeval import (
    count_bullets,
    count_paragraphs,
    has_all,
    has_none,
    is_json,
    read_json,
)
from solon.constraints.json_schema import check_schema, find_problem
from solon.languages import KNOWN, find_language
from solon.words import count_sentences, find_words, has_pattern

COLUMN = "constraints"
"""The column of a row that they stand in."""
LONGEST_PATTERN = 500
SEEN = 40
"""Characters of a text that a fault quotes."""
_COUNTED: dict[str, tuple[str, Callable[[str], int]]] = {
    "words": ("word", lambda text: len(find_words(text))),
    "sentences": ("sentence", count_sentences),
    "paragraphs": ("paragraph", count_paragraphs),
    "bullets": ("bullet point", count_bullets),
    "characters": ("character", len),
}
"""What can be counted -> what one is called, and how they are counted."""

_JSON_BORDERS = {
    "begins": re.compile(r"""[\[{"`\d-]|(?:t(?:r|$)|f(?:a|$)|n(?:u|$))"""),
    "ends": re.compile(r"""(?s:.*)(?:[\]}"`\d]|e|l)$"""),
}
"""What the words that JSON begins or ends with look like, alone or in a code fence."""


def _as_bounds(value: Any) -> Any:
    """A number is both the least and the most."""
    return (value, value) if type(value) is int else value


Number = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
Bounds = Annotated[tuple[Number | None, Number | None], BeforeValidator(_as_bounds)]
"""The least and the most of something; None: no bound. A single number is meant exactly."""
Words = tuple[Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")], ...]


class Pattern(BaseModel):
    """A regular expression that is found in the answer.

    Attributes:
        regex: the expression; upper and lower case differ.
        told: what it asks for, as a sentence to whoever answers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    regex: str = Field(min_length=1, max_length=LONGEST_PATTERN)
    told: str = Field(min_length=1, max_length=300)

    @field_validator("regex")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        import regex

        try:
            regex.compile(value)
        except regex.error as error:
            raise ValueError(f"cannot be read: {error}") from None
        return value

    def is_in(self, text: str) -> bool:
        """Whether it is found in a text; not where it takes longer than `MATCH_SECONDS`."""
        try:
            return has_pattern(self.regex, text)
        except TimeoutError:
            return False


class WrittenConstraints(BaseModel):
    """The constraints of one row.

    Attributes:
        words: how many the answer has; so `sentences`, `paragraphs`, `bullets` (lines of a list) and `characters`.
        keywords: each stands in it, in upper or lower case.
        forbidden: none of these words stands in it.
        pattern: a regular expression that is found in it.
        language: the code (ISO 639-1) of its language; broken where the text is told to be in another one.
        case: all letters are upper or lower case.
        begins: the words that it begins with.
        ends: the words that it ends with.
        json_form: `json` in the row: a JSON Schema (2020-12) that it keeps; true: any JSON.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: Bounds = (None, None)
    sentences: Bounds = (None, None)
    paragraphs: Bounds = (None, None)
    bullets: Bounds = (None, None)
    characters: Bounds = (None, None)
    keywords: Words = ()
    forbidden: Words = ()
    pattern: Pattern | None = None
    language: str | None = None
    case: Literal["upper", "lower"] | None = None
    begins: str = Field("", max_length=200)
    ends: str = Field("", max_length=200)
    json_form: dict[str, Any] | bool = Field(False, alias="json")

    @field_validator(*_COUNTED)
    @classmethod
    def _can_be_met(cls, bounds: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
        least, most = bounds
        if least is not None and most is not None and least > most:
            raise ValueError(f"the least, {least}, is more than the most, {most}")
        return bounds

    @field_validator("language")
    @classmethod
    def _can_be_told(cls, code: str | None) -> str | None:
        if code is not None and code not in KNOWN:
            raise ValueError(f"{code!r:.20} cannot be told; those that can: {', '.join(sorted(KNOWN))}")
        return code

    @field_validator("forbidden")
    @classmethod
    def _are_not_wanted(cls, forbidden: Words, info: Any) -> Words:
        refuses = has_none(forbidden)
        if wanted := next((word for word in info.data.get("keywords", ()) if not refuses(word)), ""):
            raise ValueError(f"the keyword {wanted!r} holds one of them, so that no answer keeps both")
        return forbidden

    @field_validator("json_form")
    @classmethod
    def _is_schema(cls, form: dict[str, Any] | bool) -> dict[str, Any] | bool:
        return form if isinstance(form, bool) else check_schema(form)

    def as_list(self) -> list[Constraint]:
        """Each of them that was written, with its check."""
        return [*self._counted(), *self._of_words(), *self._of_form()]

    def _counted(self) -> Iterator[Constraint]:
        for kind, (name, count) in _COUNTED.items():
            least, most = getattr(self, kind)
            if least is None and most is None:
                continue
            told = f"Write {_range(least, most)} {name}{'' if (most or least) == 1 else 's'}."
            yield Constraint(
                kind, partial(_is_within, count, least, most), told, partial(_with_number, told, count)
            )

    def _of_words(self) -> Iterator[Constraint]:
        if self.keywords:
            told = f"Use the words {_quoted(self.keywords)}."
            lacks = partial(_with_words, f"{told} Here it lacks", self.keywords, has_all)
            yield Constraint("keywords", has_all(self.keywords), told, lacks)
        if self.forbidden:
            told = f"Do not use the words {_quoted(self.forbidden)}."
            has = partial(_with_words, f"{told} Here it has", self.forbidden, has_none)
            yield Constraint("forbidden", has_none(self.forbidden), told, has)
        if begins := self.begins:
            told = f"Begin with {_quoted((begins,))}."
            seen = partial(_with_border, f"{told} Here it begins", slice(SEEN))
            yield Constraint("begins", lambda text: text.strip().startswith(begins.strip()), told, seen)
        if ends := self.ends:
            told = f"End with {_quoted((ends,))}."
            seen = partial(_with_border, f"{told} Here it ends", slice(-SEEN, None))
            yield Constraint("ends", lambda text: text.strip().endswith(ends.strip()), told, seen)

    def _of_form(self) -> Iterator[Constraint]:
        if self.pattern is not None:
            yield Constraint("pattern", self.pattern.is_in, self.pattern.told)
        if code := self.language:
            told = f"Write in the language with the code {code}."
            seen = partial(_with_language, told)
            yield Constraint("language", lambda text: code in (find_language(text) or (code,)), told, seen)
        if self.case is not None:
            check, other = (str.isupper, str.islower) if self.case == "upper" else (str.islower, str.isupper)
            told = f"Write all letters in {self.case} case."
            yield Constraint("case", check, told, partial(_with_letters, told, other))
        if isinstance(self.json_form, dict):
            yield _of_schema(self.json_form)
        elif self.json_form:
            yield Constraint("json", is_json, "Write JSON and nothing else.")


def read_constraints(written: Any) -> WrittenConstraints:
    """Return the constraints that stand in a row.

    Raises:
        ValueError: naming the key, the value seen and what is wrong with it.
    """
    if isinstance(written, dict):  # Parquet has each key in every row
        written = {key: value for key, value in written.items() if value is not None}
    try:
        return WrittenConstraints.model_validate(written)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join([COLUMN, *map(str, first["loc"])])
        if first["type"] == "extra_forbidden":
            known = ", ".join(field.alias or name for name, field in WrittenConstraints.model_fields.items())
            raise ValueError(f"{place}: there is no such constraint; there are {known}") from None
        told = first["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
        raise ValueError(f"{place}: {told} (saw {first['input']!r:.80})") from None


def check_constraints(written: Any) -> None:
    """Refuse constraints of a row that is new, where one of them says nothing, or no answer can keep two of them, as
    far as that is simple to tell: texts longer than the most words or characters, and JSON that begins or ends with
    what no JSON does.

    Raises:
        ValueError: as `read_constraints`; naming the key, the value seen and what is wrong with it.
    """
    found = read_constraints(written)
    for key, value in written.items():
        blank = isinstance(value, str) and not value.strip()
        if value is False or blank or value in ([], [None, None]):
            raise ValueError(f"{COLUMN}.{key}: this asks for nothing; leave it out (saw {value!r:.80})")
    texts = {"begins": (found.begins,), "ends": (found.ends,), "keywords": found.keywords}
    for key, words in texts.items():
        for kind in ("characters", "words"):
            name, count = _COUNTED[kind]
            most = getattr(found, kind)[1]
            if most is not None and (longer := next((one for one in words if count(one.strip()) > most), "")):
                raise ValueError(
                    f"{COLUMN}.{key}: has more than the most {name}s, {most} (saw {longer!r:.80})"
                )
    for key, borders in _JSON_BORDERS.items():
        words = getattr(found, key).strip()
        if words and found.json_form is not False and not borders.match(words):
            raise ValueError(f"{COLUMN}.{key}: no JSON {key} so (saw {words!r:.80})")


def _is_within(count: Callable[[str], int], least: int | None, most: int | None, text: str) -> bool:
    number = count(text)
    return (least is None or least <= number) and (most is None or number <= most)


def _with_number(told: str, count: Callable[[str], int], text: str) -> str:
    return f"{told} Here it is {count(text)}."


def _with_words(told: str, words: Words, check: Callable[[Words], Check], text: str) -> str:
    return f"{told} {_quoted(tuple(word for word in words if not check((word,))(text)))}."


def _with_border(told: str, part: slice, text: str) -> str:
    return f"{told} {_quoted((text.strip()[part],))}."


def _with_language(told: str, text: str) -> str:
    return f"{told} Here it is {' or '.join(find_language(text) or ())}."


def _with_letters(told: str, other: Callable[[str], bool], text: str) -> str:
    number = sum(map(other, text))
    return f"{told} Here {number} are not." if number else f"{told} Here are no letters."


def _of_schema(schema: dict[str, Any]) -> Constraint:
    def find(text: str) -> str:
        try:
            problem = find_problem(read_json(text), schema)
        except (ValueError, RecursionError):
            return "It is no JSON."
        return problem and f"It breaks the JSON Schema: {problem}."

    spelt = json.dumps(schema, ensure_ascii=False)
    told = f"Write JSON that keeps this JSON Schema, and nothing else: {spelt}"
    return Constraint("json", lambda text: not find(text), told, find)


def _range(least: int | None, most: int | None) -> str:
    if least == most:
        return f"exactly {least}"
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if least is None else f"{least} to {most}"


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)
