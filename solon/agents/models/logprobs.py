"""What a model tells of its first token, or of the numbers in its JSON, in whatever shape, and how that is shared among
labels. No I/O."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, zip_longest
from typing import Any

from solon.store.database.storable import storable

LEAST_MASS = 0.5
"""Of the first token's mass, at least this much must lie on the labels, or the model meant to say something else."""
_NEVER_CERTAIN = 1e-6
"""Mass that a label which is not listed may always have: servers round."""
_ROUNDING = 1e-4
_SLACK = 0.01
"""How far above 0 a log probability, or above 1 a sum of probabilities, may lie by rounding."""
_MOST = 20
"""Alternatives that are kept, the most likely ones; no common server lists more."""
_LONGEST = 64
"""Characters of a token that are kept."""
_TOKEN = ("token", "decoded_token", "tok_str", "text", "content")
_LOG = ("logprob", "log_prob", "logProbability", "log_probability")
_SHARE = ("prob", "probability", "p")
_OTHERS = ("top_logprobs", "topLogprobs", "top_probs", "probs", "candidates", "alternatives")
_NUMBERED = re.compile(r'(?<!\\)"([^"\\]{1,64})"\s*:\s*(?=\d)')
"""A key of an object in JSON whose value is a number; in a text within the JSON its quotes would be escaped."""
_AROUND_LABEL = " \t\n\r\"'`*([{.:)]}\u2581\u0120\u010a"


@dataclass(frozen=True, slots=True)
class LabelShares:
    """How the first token's mass on the labels is shared among them.

    Attributes:
        shares: probability per label; they sum to 1.
        bound: True where a label was not listed, so that it may have up to the mass that was not listed. The shares
            are then those that leave the leading label least.
    """

    shares: dict[str, float]
    bound: bool


class FirstToken(list[dict[str, Any]]):
    """What `first_token` has read, so that it need not be read again."""


def first_token(told: Any) -> FirstToken | None:
    """The log probabilities of the first token in OpenAI's shape, or None where nothing of them can be read.

    Args:
        told: what came with the answer: OpenAI's `{"content": [...]}` or the list in it, legacy completions'
            `{"tokens", "token_logprobs", "top_logprobs"}`, alternatives as a list or a map, log probabilities or
            probabilities, as numbers or text. What is no number counts as not listed.
    """
    if isinstance(told, FirstToken):
        return told
    try:
        own, seen = _read(told)
    except (RecursionError, OverflowError):
        return None
    if not seen:
        return None
    ranked = sorted(seen.items(), key=lambda pair: -pair[1])[:_MOST]
    chosen = own if own in seen else ranked[0][0]
    entries = [_entry(token, seen[token]) for token in (chosen, *(token for token, _ in ranked))]
    return FirstToken([{**entries[0], "top_logprobs": entries[1:]}])


def number_tokens(told: Any) -> dict[str, dict[str, Any]] | None:
    """The log probabilities of the numbers in an answer in JSON, by the number's key, and of those that could have
    stood in its place; None where nothing of them can be read. Of a number of several tokens it is the first.

    Args:
        told: what came with the whole answer, as for `first_token`.
    """
    try:
        entries = _entries(told)
        tokens = [next(_own(entry), ("", None))[0] for entry in entries]
        begins = list(accumulate(map(len, tokens), initial=0))
        found: dict[str, dict[str, Any]] = {}
        for match in _NUMBERED.finditer("".join(tokens)):
            number = bisect_right(begins, match.end()) - 1
            read = first_token([entries[number]])
            if read is not None and _bare(read[0]["token"]).isdigit():
                listed = [entry for entry in read[0]["top_logprobs"] if _bare(entry["token"]).isdigit()]
                found[match[1]] = {**read[0], "top_logprobs": listed}
    except (RecursionError, OverflowError):
        return None
    return found or None


def expected_number(told: Mapping[str, Any], given: int, numbers: Sequence[int]) -> float | None:
    """The expectation of a number over the probabilities of its token, where one of few was to be said.

    None where the token is another one than that of the number given, or where less than half of its mass lies on these
    numbers. Source: G-Eval, Liu et al. 2023 (arXiv 2303.16634), section 2, "scoring function".

    Args:
        told: an entry of `number_tokens`.
        given: the number that stands in the answer.
        numbers: those that could be said, each of one digit.
    """
    if _bare(told["token"]) != str(given):
        return None
    masses = dict.fromkeys(map(str, numbers), 0.0)
    for entry in told["top_logprobs"]:
        if (digit := _bare(entry["token"])) in masses:
            masses[digit] += math.exp(entry["logprob"])
    total = sum(masses.values())
    if total < LEAST_MASS - _ROUNDING:
        return None
    return sum(int(digit) * mass for digit, mass in masses.items()) / total


def _bare(token: str) -> str:
    """A token without what may stand around a number in JSON."""
    return token.strip(_AROUND_LABEL + ",")


def label_shares(told: Any, labels: Sequence[str] = ("A", "B")) -> LabelShares | None:
    """How the first token's mass is shared among `labels`, or None where that is no verdict.

    It is none where nothing can be read, where less than half of the mass lies on the labels, or where a label that
    is not listed may have more than the one that leads. Variants of a label that differ by surrounding space, quotes
    or brackets are added up; case counts, since "a" is also an article. What other tokens have is left out and the
    rest scaled to 1.

    Args:
        told: as for `first_token`.
    """
    first = first_token(told)
    if first is None:
        return None
    masses = {entry["token"]: math.exp(entry["logprob"]) for entry in (*first, *first[0]["top_logprobs"])}
    shares = dict.fromkeys(labels, 0.0)
    for token, mass in masses.items():
        label = token.strip(_AROUND_LABEL)
        if label in shares:
            shares[label] += mass
    lead, unlisted = max(shares.values()), max(1.0 - sum(masses.values()), _NEVER_CERTAIN)
    absent = [label for label, mass in shares.items() if not mass]
    if sum(shares.values()) < LEAST_MASS - _ROUNDING or (absent and unlisted > lead + _ROUNDING):
        return None
    shares |= dict.fromkeys(absent, min(unlisted, lead) / max(len(absent), 1))
    total = sum(shares.values())
    return LabelShares({label: mass / total for label, mass in shares.items()}, bool(absent))


def _entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": storable(token[:_LONGEST]), "logprob": round(logprob, 5)}


def _read(told: Any) -> tuple[str, dict[str, float]]:
    """The token that was taken ("" if not told) and the log probability of every token that is listed.

    What the list says comes before what is said of the token taken, which some servers tell after sampling.
    """
    first = _first(told)
    pairs = [(token, value) for token, value in islice(_alternatives(first), 100_000) if value is not None]
    own = next(iter(_own(first)), ("", None))
    seen: dict[str, float] = {}
    for token, value in pairs:
        seen[token] = max(value, seen.get(token, -math.inf))
    if own[0] and own[1] is not None:
        seen.setdefault(own[0], own[1])
    return own[0], _as_logs(seen)


def _first(told: Any) -> Any:
    """What is told of the first token."""
    if isinstance(told, Mapping):
        if isinstance(told.get("tokens"), list) or isinstance(told.get("token_logprobs"), list):
            columns = {"token": "tokens", "logprob": "token_logprobs", "top_logprobs": "top_logprobs"}
            return {name: _at_0(told.get(column)) for name, column in columns.items()}
        if isinstance(told.get("content"), list | Mapping):
            return _first(told["content"])
        return told
    return _at_0(told)


def _entries(told: Any) -> list[Any]:
    """What is told of each token of an answer, in their order."""
    if isinstance(told, Mapping):
        if isinstance(told.get("tokens"), list):
            columns = {"token": "tokens", "logprob": "token_logprobs", "top_logprobs": "top_logprobs"}
            lists = [one if isinstance(one := told.get(column), list) else [] for column in columns.values()]
            return [dict(zip(columns, row, strict=True)) for row in zip_longest(*lists)]
        return _entries(told.get("content"))
    return told if isinstance(told, list) else []


def _at_0(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _own(entry: Any) -> Iterator[tuple[str, float | None]]:
    """The token that an entry is of, with its value, if it is of one."""
    if isinstance(entry, Mapping):
        for key in _TOKEN:
            if isinstance(entry.get(key), str):
                yield entry[key], _value(entry)
                return
    elif isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
        yield entry[0], _number(entry[1])


def _alternatives(entry: Any) -> Iterator[tuple[str, float | None]]:
    """The tokens that are listed for the place of `entry`, in whatever form."""
    if isinstance(entry, list):
        for other in entry:
            yield from _own(other)
    elif isinstance(entry, Mapping):
        lists = [entry[key] for key in _OTHERS if isinstance(entry.get(key), list | Mapping)]
        for others in lists:
            yield from _of_map(others) if isinstance(others, Mapping) else _alternatives(others)
        if not lists and not any(True for _ in _own(entry)):
            yield from _of_map(entry)


def _of_map(alternatives: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Token -> value, or id -> entry as of vLLM's own engine."""
    for name, value in alternatives.items():
        if isinstance(value, Mapping):
            yield next(iter(_own(value)), (name, _value(value)))
        elif name not in (*_LOG, *_SHARE):
            yield name, _number(value)


def _value(entry: Mapping[str, Any]) -> float | None:
    for key in _LOG:
        if (logprob := _number(entry.get(key))) is not None:
            return logprob
    for key in _SHARE:
        share = _number(entry.get(key))
        if share is not None and 0.0 < share <= 1.0 + _SLACK:
            return math.log(share)
    return None


def _number(value: Any) -> float | None:
    """A finite number, given as one or as text; what is none counts as not told."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _as_logs(seen: dict[str, float]) -> dict[str, float]:
    """The log probabilities without those that are 0 as probabilities; empty where the numbers are neither logs nor
    probabilities."""
    if max(seen.values(), default=0.0) > _SLACK:
        if not _is_share(seen.values()):
            return {}
        seen = {token: math.log(share) for token, share in seen.items() if share > 0.0}
    known = {token: min(logprob, 0.0) for token, logprob in seen.items() if math.exp(min(logprob, 0.0)) > 0.0}
    return known if _is_share(math.exp(logprob) for logprob in known.values()) else {}


def _is_share(values: Iterable[float]) -> bool:
    """Whether these can be probabilities of different tokens in one place."""
    total = 0.0
    for value in values:
        if value < 0.0:
            return False
        total += value
    return total <= 1.0 + _SLACK
