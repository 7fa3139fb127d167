"""Instructions in a request whose keeping a program can check, after IFEval (Zhou et al. 2023).

They are read from the columns that IFEval uses (`instruction_id_list`, `kwargs`), or else from the wording of
the request, by patterns in English that would rather miss one than invent one. Pure: no I/O, no models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from solon.eval.writing import count_sentences
from solon.words import find_words

Check = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A checkable instruction.

    Attributes:
        kind: what it asks for, in the words of IFEval.
        check: tells whether a text keeps it.
    """

    kind: str
    check: Check


def find_constraints(prompt: str, metadata: Mapping[str, Any]) -> list[Constraint]:
    """Return the checkable instructions of a request, as far as a program can tell."""
    kinds, arguments = metadata.get("instruction_id_list"), metadata.get("kwargs")
    if isinstance(kinds, list) and isinstance(arguments, list) and len(kinds) == len(arguments):
        known = [_of_ifeval(str(kind), values) for kind, values in zip(kinds, arguments, strict=True)]
        return [constraint for constraint in known if constraint is not None]
    return list(_of_wording(prompt))


def _of_ifeval(kind: str, given: Any) -> Constraint | None:
    arguments = given if isinstance(given, Mapping) else {}
    maker = _IFEVAL.get(kind)
    try:
        return Constraint(kind, maker(arguments)) if maker else None
    except (KeyError, TypeError, ValueError):
        return None


def _compare(count: Callable[[str], int], given: Mapping[str, Any], name: str) -> Check:
    number = int(given[name])
    relation = str(given.get("relation") or given.get("let_relation") or "at least")
    if relation == "less than":
        return lambda text: count(text) < number
    if relation == "at most":
        return lambda text: count(text) <= number
    return lambda text: count(text) >= number


def _frequency(given: Mapping[str, Any]) -> Check:
    pattern = re.compile(re.escape(str(given["keyword"])), re.IGNORECASE)
    return _compare(lambda text: len(pattern.findall(text)), given, "frequency")


def _letters(given: Mapping[str, Any]) -> Check:
    letter = str(given["letter"]).lower()
    return _compare(lambda text: text.lower().count(letter), given, "let_frequency")


def _all_in(words: Any) -> Check:
    wanted = [str(word).lower() for word in words]
    return lambda text: all(word in text.lower() for word in wanted)


def _none_in(words: Any) -> Check:
    patterns = [re.compile(rf"\b{re.escape(str(word))}\b", re.IGNORECASE) for word in words]
    return lambda text: not any(pattern.search(text) for pattern in patterns)


def _ends_with(given: Mapping[str, Any]) -> Check:
    end = str(given["end_phrase"]).strip().lower()
    return lambda text: text.strip().strip('"').lower().endswith(end)


def _exactly(count: Callable[[str], int], number: int) -> Check:
    return lambda text: count(text) == number


def count_bullets(text: str) -> int:
    """Return the number of lines that begin as an item of a list."""
    return len(re.findall(r"^\s*[*\-+]\s+\S", text, re.MULTILINE))


def count_paragraphs(text: str) -> int:
    """Return the number of paragraphs, parted by an empty line or by a line of three asterisks."""
    return sum(bool(part.strip()) for part in re.split(r"\n\s*\n|\n\s*\*\*\*\s*\n", text))


def is_json(text: str) -> bool:
    """Tell whether a text is JSON, alone or in one code fence."""
    inner = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip(), flags=re.IGNORECASE)
    try:
        json.loads(inner)
    except (ValueError, RecursionError):
        return False
    return True


def _in_quotes(text: str) -> bool:
    return len(text.strip()) > 1 and text.strip()[0] == text.strip()[-1] == '"'


_IFEVAL: Mapping[str, Callable[[Mapping[str, Any]], Check]] = {
    "keywords:existence": lambda given: _all_in(given["keywords"]),
    "keywords:forbidden_words": lambda given: _none_in(given["forbidden_words"]),
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letters,
    "length_constraints:number_words": lambda given: _compare(
        lambda t: len(find_words(t)), given, "num_words"
    ),
    "length_constraints:number_sentences": lambda given: _compare(count_sentences, given, "num_sentences"),
    "length_constraints:number_paragraphs": lambda given: _exactly(
        count_paragraphs, int(given["num_paragraphs"])
    ),
    "detectable_format:number_bullet_lists": lambda given: _exactly(count_bullets, int(given["num_bullets"])),
    "detectable_format:json_format": lambda given: is_json,
    "detectable_format:title": lambda given: lambda text: re.search(r"<<[^\n]+>>", text) is not None,
    "detectable_content:postscript": lambda given: (
        lambda text: re.search(r"P\.\s?(?:P\.\s?)?S", text) is not None
    ),
    "change_case:english_capital": lambda given: str.isupper,
    "change_case:english_lowercase": lambda given: str.islower,
    "punctuation:no_comma": lambda given: lambda text: "," not in text,
    "startend:end_checker": _ends_with,
    "startend:quotation": lambda given: _in_quotes,
}

_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_NUMBER = rf"(\d{{1,4}}|{'|'.join(_NUMBERS)})"
_THINGS: Mapping[str, tuple[str, Callable[[str], int]]] = {
    "word": ("length_constraints:number_words", lambda text: len(find_words(text))),
    "sentence": ("length_constraints:number_sentences", count_sentences),
    "paragraph": ("length_constraints:number_paragraphs", count_paragraphs),
    "bullet point": ("detectable_format:number_bullet_lists", count_bullets),
}
_LENGTH = re.compile(
    r"\b(at most|no more than|fewer than|less than|under|up to|at least|no fewer than|exactly|in|with|using)\s+"
    rf"{_NUMBER}\s+(?:short\s+|simple\s+)?(word|sentence|paragraph|bullet point)s?\b(?:\s+or\s+(less|fewer|more))?",
    re.IGNORECASE,
)
_PHRASES: tuple[tuple[str, str, Check], ...] = (
    (r"\b(?:all|only) (?:in )?(?:capital letters|uppercase|caps)\b", "change_case:english_capital", str.isupper),
    (r"\b(?:all|only) (?:in )?lower ?case\b", "change_case:english_lowercase", str.islower),
    (r"\b(?:no commas|without (?:using )?(?:any )?commas)\b", "punctuation:no_comma", lambda text: "," not in text),
    (r"\b(?:answer|respond|reply|output|return)\b[^.]{0,40}\b(?:in|as|only|valid) JSON\b",
     "detectable_format:json_format", is_json),
)  # fmt: skip
_QUOTED = r"[\"\u201c'\u2018]([^\"\u201d'\u2019\n]{1,80})[\"\u201d'\u2019]"
_WORDS: tuple[tuple[str, str, Callable[[str], Check]], ...] = (
    (rf"\b(?:end|finish) (?:your (?:answer|response|reply) )?with (?:the (?:phrase|words?|sentence) )?{_QUOTED}",
     "startend:end_checker", lambda word: _ends_with({"end_phrase": word})),
    (rf"\b(?:include|use|mention) the (?:word|phrase|keyword) {_QUOTED}", "keywords:existence",
     lambda word: _all_in([word])),
    (rf"\b(?:do not|don't|never|without) (?:us(?:e|ing)|includ(?:e|ing)|mention(?:ing)?) the (?:word|phrase) {_QUOTED}",
     "keywords:forbidden_words", lambda word: _none_in([word])),
)  # fmt: skip


def _of_wording(prompt: str) -> Iterator[Constraint]:
    for match in _LENGTH.finditer(prompt[:20_000]):
        relation, number, thing, after = (part.lower() if part else "" for part in match.groups())
        kind, count = _THINGS[thing]
        yield Constraint(kind, _bounded(count, relation, _NUMBERS.get(number) or int(number), after, thing))
    for pattern, kind, check in _PHRASES:
        if re.search(pattern, prompt[:20_000], re.IGNORECASE):
            yield Constraint(kind, check)
    for pattern, kind, make in _WORDS:
        for match in re.finditer(pattern, prompt[:20_000], re.IGNORECASE):
            if kind != "keywords:existence" or not _negated(prompt, match.start()):
                yield Constraint(kind, make(match.group(1)))


def _negated(prompt: str, start: int) -> bool:
    return (
        re.search(r"(?:not|n't|never|without)\s+$", prompt[max(0, start - 12) : start], re.IGNORECASE)
        is not None
    )


def _bounded(count: Callable[[str], int], relation: str, number: int, after: str, thing: str) -> Check:
    if after in ("less", "fewer") or relation in ("at most", "no more than", "up to"):
        return lambda text: count(text) <= number
    if relation in ("fewer than", "less than", "under"):
        return lambda text: count(text) < number
    if after == "more" or relation in ("at least", "no fewer than"):
        return lambda text: count(text) >= number
    if thing == "word" and relation != "exactly":  # "in 50 words" is not meant to the word
        return lambda text: abs(count(text) - number) <= max(2, number // 10)
    return _exactly(count, number)
