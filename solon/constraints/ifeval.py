"""Instructions in a request whose keeping a program can check, after IFEval (Zhou et al. 2023).

They are read from the columns that IFEval uses (`instruction_id_list`, `kwargs`), or from the wording of the request,
by patterns in English that would rather miss one than invent one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from solon.constraints.constraint import Check, Constraint
from solon.words import count_sentences, find_words

IDS, ARGUMENTS = "instruction_id_list", "kwargs"
"""The columns of IFEval."""
UNVERIFIED = (
    "language:response_language", "length_constraints:nth_paragraph_first_word",
    "detectable_content:number_placeholders", "detectable_format:constrained_response",
    "detectable_format:number_highlighted_sections", "detectable_format:multiple_sections",
    "combination:two_responses", "combination:repeat_prompt", "change_case:capital_word_frequency",
)  # fmt: skip
"""The instructions of IFEval whose keeping is not checked here."""


def of_columns(metadata: Mapping[str, Any]) -> list[Constraint]:
    """Return the constraints of IFEval's columns that are known here; none where there are no such columns."""
    return [one for one in _read_columns(metadata).values() if one is not None]


def not_verified(metadata: Mapping[str, Any]) -> list[str]:
    """Return the instructions of IFEval's columns, by their ids, whose keeping is not checked here."""
    return [kind for (_, kind), one in _read_columns(metadata).items() if one is None]


def check_columns(metadata: Mapping[str, Any]) -> None:
    """Refuse columns of IFEval that cannot be read; those instructions of IFEval whose keeping is not checked here
    pass.

    Raises:
        ValueError: naming the key, the value seen and what is wrong with it.
    """
    kinds, arguments = metadata.get(IDS), metadata.get(ARGUMENTS)
    if kinds is None:
        return
    if not isinstance(kinds, list) or not isinstance(arguments, list) or len(kinds) != len(arguments):
        raise ValueError(f"{IDS}: this is to be a list, and {ARGUMENTS} another one of the same length")
    for (place, kind), one in _read_columns(metadata).items():
        if kind not in _IFEVAL and kind not in UNVERIFIED:
            near = get_close_matches(kind, [*_IFEVAL, *UNVERIFIED], 1)
            told = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"{IDS}.{place}: IFEval has no such instruction (saw {kind!r:.80}){told}")
        if one is None and kind in _IFEVAL:
            seen = arguments[place]
            raise ValueError(f"{ARGUMENTS}.{place}: not what {kind} needs (saw {seen!r:.80})")


def _read_columns(metadata: Mapping[str, Any]) -> dict[tuple[int, str], Constraint | None]:
    """Place and id of each instruction -> its constraint, None where there is none."""
    kinds, arguments = metadata.get(IDS), metadata.get(ARGUMENTS)
    if not isinstance(kinds, list) or not isinstance(arguments, list) or len(kinds) != len(arguments):
        return {}
    pairs = zip(map(str, kinds), arguments, strict=True)
    return {(place, kind): _of_ifeval(kind, values) for place, (kind, values) in enumerate(pairs)}


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


def has_all(words: Iterable[Any]) -> Check:
    """Return a check that each of these stands in a text, in upper or lower case."""
    wanted = [str(word).lower() for word in words]
    return lambda text: all(word in text.lower() for word in wanted)


def has_none(words: Iterable[Any]) -> Check:
    """Return a check that none of these words stands in a text, in upper or lower case."""
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


def read_json(text: str) -> Any:
    """Return what a text says that is JSON, alone or in one code fence.

    Raises:
        ValueError, RecursionError: it is no JSON.
    """
    return json.loads(re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip(), flags=re.IGNORECASE))


def is_json(text: str) -> bool:
    """Tell whether a text is JSON, alone or in one code fence."""
    try:
        read_json(text)
    except (ValueError, RecursionError):
        return False
    return True


def _in_quotes(text: str) -> bool:
    return len(text.strip()) > 1 and text.strip()[0] == text.strip()[-1] == '"'


_IFEVAL: Mapping[str, Callable[[Mapping[str, Any]], Check]] = {
    "keywords:existence": lambda given: has_all(given["keywords"]),
    "keywords:forbidden_words": lambda given: has_none(given["forbidden_words"]),
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
     lambda word: has_all([word])),
    (rf"\b(?:do not|don't|never|without) (?:us(?:e|ing)|includ(?:e|ing)|mention(?:ing)?) the (?:word|phrase) {_QUOTED}",
     "keywords:forbidden_words", lambda word: has_none([word])),
)  # fmt: skip


def of_wording(prompt: str) -> Iterator[Constraint]:
    """Return the constraints that the wording of a request states."""
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
