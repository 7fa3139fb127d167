"""The rubric of a single seed: criteria for this one request, with weights, which judges go by in place of the rubric
in force. Imports `errors`, `reading` and neighbours only.

Unlike a document of law it is material that came with a seed: it stands between markers in every prompt, it is
forgotten with its seed, and nothing is learned of its criteria, which are others with each item.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from solon.law.documents import mean_by_weight

COLUMN = "rubric"
"""The column of a row that it stands in."""
MOST = 30
"""Criteria that it may have."""
LONGEST = 600
"""Characters of a text in it."""
HEAVIEST = 1_000_000
SCORES = ("1", "2", "3", "4", "5")
_KEYS = {"text", "name", "weight", "scores"}
_BIGGEN = {"criteria", *(f"score{score}_description" for score in SCORES)}
"""The keys of a rubric as the data set BiGGen Bench has it."""


@dataclass(frozen=True, slots=True)
class SeedCriterion:
    """One criterion of a seed's rubric, scored from 1 (worst) to 5 (best).

    Attributes:
        text: what is scored.
        name: a short name of it; may be empty.
        weight: of its score, relative to the others.
        scores: score -> what an answer with this score looks like; empty, or for all of 1 to 5.
    """

    text: str
    name: str = ""
    weight: float = 1.0
    scores: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeedRubric:
    """The criteria of one request. They are called C1, C2, ... in prompts and scores: no criterion of a document of law
    has such a name."""

    criteria: tuple[SeedCriterion, ...]

    @property
    def version(self) -> str:
        """16 hex digits of a hash of all that it says, by which lineage names it."""
        canonical = json.dumps(self.as_plain(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def as_plain(self) -> list[dict[str, Any]]:
        """The criteria as plain values, as `read_seed_rubric` takes them."""
        return [{key: value for key, value in asdict(one).items() if value} for one in self.criteria]

    def told(self) -> list[dict[str, Any]]:
        """The criteria as people are shown them: `id`, `name`, `text`, `weight`, of which all sum to 1, and `scores`:
        what an answer with each of 1 to 5 looks like, or empty."""
        return [
            {
                "id": name,
                "name": one.name,
                "text": one.text,
                "weight": weight,
                "scores": [one.scores[score] for score in SCORES if one.scores],
            }
            for (name, weight), one in zip(self.weights().items(), self.criteria, strict=True)
        ]

    def ids(self) -> list[str]:
        """The names of the criteria in their order: C1, C2, ..."""
        return [f"C{number}" for number in range(1, len(self.criteria) + 1)]

    def weights(self) -> dict[str, float]:
        """The weight by criterion id, summing to 1."""
        total = sum(one.weight for one in self.criteria)
        return {name: one.weight / total for name, one in zip(self.ids(), self.criteria, strict=True)}

    def mean(self, scores: Mapping[str, float]) -> float:
        """The mean of the scores by weight; criteria without a score take no part. 0.0 where none has one."""
        return mean_by_weight(scores, self.weights())

    def as_prompt(self) -> str:
        """The text for a prompt, a line for each criterion: `[C1] name: text (1: ... 3: ... 5: ...)`."""
        lines = []
        for name, one in zip(self.ids(), self.criteria, strict=True):
            shown = " ".join(f"{score}: {one.scores[score]}" for score in "135" if one.scores)
            title = f"{one.name}: " if one.name else ""
            lines.append(f"[{name}] {title}{one.text}" + (f" ({shown})" if shown else ""))
        return "\n".join(lines)

    def as_lines(self) -> list[str]:
        """The criteria as people write them, see `read_lines`: `3: name: text`. What their scores look like is left
        out."""
        return [f"{one.weight:g}: " + ": ".join(filter(None, (one.name, one.text))) for one in self.criteria]

    def as_words(self) -> str:
        """The same without ids and scores, heaviest first, for judges of two answers: `- text (weight .50)`."""
        heaviest = sorted(zip(self.weights().values(), self.criteria, strict=True), key=lambda pair: -pair[0])
        return "\n".join(f"- {one.text} (weight {weight:.2f})" for weight, one in heaviest)


def criteria_lines(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each criterion as people are shown it: `C1 (50 %) name: text (1: ... 2: ...)`."""
    lines = []
    for one in told:
        share = f"{100 * one['weight']:.0f} %" if one["weight"] >= 0.005 else "under 1 %"
        title = f"{one['name']}: " if one["name"] else ""
        scores = " ".join(f"{score}: {text}" for score, text in enumerate(one["scores"], start=1))
        lines.append(f"{one['id']} ({share}) {title}{one['text']}" + (f" ({scores})" if scores else ""))
    return lines


def read_seed_rubric(value: Any) -> SeedRubric:
    """The rubric that a row brings: a list of criteria, or one criterion as the data set BiGGen Bench has it.

    A criterion is a text, or an object with `text` and, where wanted, `name`, `weight` (any number above 0, 1 where it
    is left out: only their proportions count) and `scores` (what an answer with each of 1 to 5 looks like).

    Raises:
        ValueError: naming the key, the value seen and what would be right.
    """
    if isinstance(value, Mapping) and "criteria" in value and set(value) <= _BIGGEN:
        texts = {score: value.get(f"score{score}_description") for score in SCORES}
        value = [{"text": value["criteria"], "scores": {k: text for k, text in texts.items() if text}}]
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(
            f"{COLUMN} is {_seen(value)}; it must be a list of criteria, each with a text and a weight"
        )
    if not 1 <= len(value) <= MOST:
        raise ValueError(f"{COLUMN} has {len(value)} criteria; give 1 to {MOST}")
    criteria = [_read_criterion(one, f"{COLUMN}[{place}]") for place, one in enumerate(value)]
    for key in ("text", "name"):
        _refuse_repeated([getattr(one, key) for one in criteria], key)
    return SeedRubric(tuple(criteria))


def read_lines(lines: Sequence[str]) -> SeedRubric:
    """The rubric that a person wrote: a line for each criterion, its weight and a colon first (`3: Names the dose.`). A
    line that begins with words weighs 1, whether or not a colon follows; empty lines are passed over.

    Raises:
        ValueError: naming the line and the weight that cannot be one; else as of `read_seed_rubric`.
    """
    return read_seed_rubric(
        [_read_weighed(line, number) for number, line in enumerate(lines, start=1) if line.strip()]
    )


def rubric_of_answer(text: str | None) -> SeedRubric | None:
    """The rubric that a person confirmed, out of the stored text of their answer; None where it holds none."""
    try:
        return read_lines(json.loads(text or "{}")["criteria"])
    except (ValueError, KeyError, TypeError):  # erased, or an answer to another question
        return None


def seed_rubric_of(metadata: Mapping[str, Any] | None) -> SeedRubric | None:
    """The rubric among a stored seed's further columns; None where there is none that can be read."""
    try:
        return read_seed_rubric(metadata[COLUMN]) if metadata and COLUMN in metadata else None
    except ValueError:  # a column of this name that means something else
        return None


def _read_weighed(line: str, number: int) -> dict[str, Any]:
    """A line as `read_seed_rubric` takes it. What stands before the first colon is a weight where it is a number or
    looks like one: a sign or a digit first, and no letter. Any word without a sign (Infinity, NaN), a time or a ratio
    (24:00, 3:1) is part of the words."""
    head, colon, text = line.partition(":")
    told = head.strip().replace(",", ".").replace("\N{MINUS SIGN}", "-")
    if not told[:1].isdigit() and not told.startswith(("+", "-", ".")):
        return {"text": line}
    try:
        weight = float(told)
    except ValueError:
        if any(map(str.isalpha, told)):
            return {"text": line}
        weight = math.nan
    if not colon or (told.isdigit() and text[:1].isdigit()):
        return {"text": line}
    if not 0 < weight <= HEAVIEST:
        raise ValueError(
            f"line {number} begins with the weight {head.strip()[:40]!r}; it must be a number above 0, up to a "
            f"million, or the line must begin with words: {line.strip()[:60]!r}"
        )
    return {"text": text, "weight": weight}


def _read_criterion(value: Any, where: str) -> SeedCriterion:
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is {_seen(value)}; it must be a text, or an object with text and weight")
    if unknown := sorted(map(str, set(value) - _KEYS)):
        raise ValueError(f"{where} has the key {unknown[0]!r:.60}; known are {', '.join(sorted(_KEYS))}")
    text = _read_line(value.get("text"), f"{where}.text")
    name = _read_line(value["name"], f"{where}.name") if value.get("name") else ""
    return SeedCriterion(
        text, name, _read_weight(value.get("weight", 1), f"{where}.weight"), _read_scores(value, where)
    )


def _read_line(value: Any, where: str) -> str:
    """One line: a criterion must not be able to look like two in a prompt."""
    if not isinstance(value, str):
        raise ValueError(f"{where} is {_seen(value)}; it must be a text")
    line = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    if not line:
        raise ValueError(f"{where} is empty; say what is scored")
    if len(line) > LONGEST:
        raise ValueError(f"{where} has {len(line)} characters, and {LONGEST} are the most: {line[:40]!r}...")
    return line


def _read_weight(value: Any, where: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value <= HEAVIEST:
        raise ValueError(f"{where} is {_seen(value)}; it must be a number above 0, up to a million")
    return float(value)


def _read_scores(value: Mapping[str, Any], where: str) -> dict[str, str]:
    given = value.get("scores")
    if given is None or given == {}:
        return {}
    named = {str(key): text for key, text in given.items()} if isinstance(given, Mapping) else {}
    if sorted(named) != list(SCORES):
        raise ValueError(
            f"{where}.scores is {_seen(given)}; it must have a text for each of the scores 1 to 5"
        )
    return {score: _read_line(named[score], f"{where}.scores.{score}") for score in SCORES}


def _refuse_repeated(texts: Sequence[str], key: str) -> None:
    first: dict[str, int] = {}
    for place, text in enumerate(texts):
        if text and (before := first.setdefault(text.casefold(), place)) != place:
            raise ValueError(f"{COLUMN}[{before}] and {COLUMN}[{place}] have the same {key}: {text[:60]!r}")


def _seen(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:60]
