"""What the scripted fake answers when no rule does: made from a hash of the call, so always the same.

Drafts are plausible English without content. A judge's taste is a hash of the text it judges, so it holds under a
swap of the order, and differs a little by persona; in `split` two halves of all personas have opposite tastes.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solon.agents.models.scripted_json import Fields, value_of
from solon.agents.models.scripted_keywords import draft_keywords

VERDICT_TOKENS = 4
"""Prose calls with room for at most this many tokens are taken for verdicts of one token."""

_OPENINGS = (
    "In short",
    "Put plainly",
    "As a first step",
    "To begin with",
    "Seen by the reader",
    "In practice",
)
_VERBS = (
    "check",
    "compare",
    "write down",
    "measure",
    "explain",
    "divide",
    "repeat",
    "verify",
    "name",
    "collect",
)
_OBJECTS = (
    "the facts",
    "each step",
    "the question",
    "two examples",
    "the limits",
    "the units",
    "a source",
    "the parts",
)
_REASONS = (
    "so that nothing is assumed",
    "because the details decide",
    "before you go on",
    "which keeps the result clear",
    "since a mistake here costs time later",
    "and say what is uncertain",
)
ORDINARY = 100
"""Characters of an answer that is neither long nor short to a judge with leanings."""
_HALVES = "3"
"""Chosen so that the two personas of the default panel fall into different halves."""
_DULL = frozenset(
    (
        "answer",
        "request",
        "better",
        "which",
        "these",
        "those",
        "their",
        "there",
        "where",
        "about",
        "other",
        "should",
        "would",
        "follow",
    )
)


@dataclass(frozen=True, slots=True)
class Question:
    """A call as the fake sees it.

    Attributes:
        role: from the call's metadata, "" if nobody said.
        messages: (type, text) in order; types as LangChain names them: system, human, ai.
        schema_name: of the JSON schema asked for; empty without one.
        schema: the JSON schema asked for; None without one.
        max_tokens: bound on the answer, in tokens.
        logprobs: whether log probabilities are asked for.
        seed: of the sampling; None without one.
        temperature: of the sampling; None without one.
        key: hash of all that shapes the answer.
        again: how often this very call was made before (counted only where it matters).
    """

    role: str
    messages: tuple[tuple[str, str], ...]
    schema_name: str
    schema: Mapping[str, Any] | None
    max_tokens: int
    logprobs: bool
    seed: int | None
    temperature: float | None
    key: bytes
    again: int

    @property
    def prompt(self) -> str:
        """The texts of all messages, one below the other."""
        return "\n".join(text for _, text in self.messages)

    @property
    def system(self) -> str:
        """The texts of the system messages, one below the other."""
        return "\n".join(text for kind, text in self.messages if kind == "system")

    def share(self, purpose: str) -> float:
        """A number in [0, 1) that is the same for the same call and purpose."""
        return _share(self.key.hex(), purpose, str(self.again))

    def block(self, label: str) -> str | None:
        """The text between `[LABEL mark]` and `[end of LABEL mark]`, or after a line `LABEL:`; None where there
        is neither."""
        name, flags = re.escape(label), re.DOTALL | re.MULTILINE | re.IGNORECASE
        match = re.search(rf"^\[{name} [^\]\n]*\]\n(.*?)\n\[end of {name} ", self.prompt, flags)
        if match is None:
            match = re.search(rf"^{name}:\s*(.+?)(?=^\w[\w ]{{0,20}}:|\Z)", self.prompt, flags)
        return match.group(1).strip() if match else None


def answer_by_default(
    question: Question, *, split: bool, leanings: Mapping[Any, float] | None = None
) -> tuple[str, Mapping[str, float] | None]:
    """The fake's answer to a call for which no rule speaks, and token -> probability where it is a verdict of
    one token.

    Args:
        split: two halves of all personas have opposite tastes.
        leanings: of a judge, see `Script`; None for one who has none and weighs every word.
    """
    draw = random.Random(question.key)
    if question.schema_name == "RulesAnswer":
        return _drafted_rules(question), None
    if question.schema is not None:
        fields = Fields(
            prefers_a=_preference(question, split, leanings),
            taste=_judged(question.block("answer") or question.prompt, question, split, leanings),
            ids=tuple(dict.fromkeys(re.findall(r"^\[([\w.-]+)\] ", question.system, re.MULTILINE))),
            quoted=question.block("answer") or question.block("text") or "",
            write=lambda: _prose(draw, question),
        )
        return json.dumps(value_of(question.schema, fields, draw), ensure_ascii=False), None
    if question.max_tokens <= VERDICT_TOKENS:
        p = _preference(question, split, leanings)
        probabilities = {"A": p, "B": 1 - p}
        return likeliest(probabilities), probabilities
    return _prose(draw, question), None


def _drafted_rules(question: Question) -> str:
    """The answer of a legislator who drafts rules for the texts of a label."""
    texts, others = (
        re.findall(r"^- (.*)$", question.block(name) or "", re.MULTILINE)
        for name in ("texts with the label", "texts with other labels")
    )
    rules = [{"keywords": keywords} for keywords in draft_keywords(texts, others)]
    return json.dumps({"reason": "These words stand in texts of the label.", "rules": rules})


def likeliest(probabilities: Mapping[str, float]) -> str:
    """The token with the highest probability."""
    return max(probabilities, key=lambda token: probabilities[token])


def _prose(draw: random.Random, question: Question) -> str:
    topic = draw.choice(_topics(question))
    room = max(1, question.max_tokens // 32)
    sentences = [
        f"{draw.choice(_OPENINGS)}, {draw.choice(_VERBS)} {draw.choice(_OBJECTS)} of {topic}, {draw.choice(_REASONS)}."
        for _ in range(min(room, draw.randint(2, 5)))
    ]
    return " ".join(sentences)


def _topics(question: Question) -> list[str]:
    text = question.block("request") or question.block("example") or (question.messages or (("", ""),))[-1][1]
    words = [w for w in re.findall(r"[^\W\d_]{5,20}", text[:4000]) if w.lower() not in _DULL]
    return words or ["the task"]


def _preference(question: Question, split: bool, leanings: Mapping[str, float] | None) -> float:
    """Probability that answer A is better than answer B."""
    a, b = question.block("answer A"), question.block("answer B")
    if leanings is not None and a is not None and b is not None:
        wavers = _share(question.key.hex(), "verdict") - 0.5
        odds = _merit(a, question, leanings) - _merit(b, question, leanings) + leanings.get("position", 0.0)
        return round(1 / (1 + math.exp(-odds - wavers)), 6)
    if a is None or b is None:
        margin = 4 * (_share(question.key.hex(), "verdict") - 0.5)
    elif split:
        side = 1 if _persona_half(question) == (_share(min(a, b), max(a, b)) < 0.5) else -1
        margin = 2.0 * side * (1 if a < b else -1)
    else:
        margin = 3 * (_taste(a, question, split) - _taste(b, question, split))
    return round(1 / (1 + math.exp(-margin)), 6)


def _judged(text: str, question: Question, split: bool, leanings: Mapping[str, float] | None) -> float:
    """How good one text alone is found, in [0, 1]."""
    if leanings is None:
        return _taste(text, question, split)
    return 1 / (1 + math.exp(1.5 - _merit(text, question, leanings)))


def _merit(text: str, question: Question, leanings: Mapping[str, float]) -> float:
    """What a judge with leanings holds for a text, in log odds: by its first sentence, and by what draws the judge."""
    merit = 3 * _taste(text.split(". ")[0].rstrip("."), question, split=False)
    merit += leanings.get("length", 0.0) * math.log2(max(1, len(text)) / ORDINARY)
    merit += leanings.get("self", 0.0) * ("written by" in text)
    return merit + leanings.get("sycophancy", 0.0) * ("experts agree" in text)


def _taste(text: str, question: Question, split: bool) -> float:
    """How good a text is found, in [0, 1]: a hash of the text, shifted a little (`split`: fully) by the persona."""
    shared, own = _share("text", text), _share(_persona(question), text)
    if split:
        return shared if _persona_half(question) else 1 - shared
    return 0.8 * shared + 0.2 * own


def _persona(question: Question) -> str:
    """Who the judge is told to be; nobody in particular where the system prompt does not say."""
    match = re.search(r"\bYou are ([^.]+)\.", question.system)
    return match.group(1).strip() if match else ""


def _persona_half(question: Question) -> bool:
    return _share(_HALVES, _persona(question)) < 0.5


def _share(*parts: str) -> float:
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
