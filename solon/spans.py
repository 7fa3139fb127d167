"""Spans: pieces of a text with a kind, by character offsets. Imports nothing of Solon but `errors`.

Offsets count characters (Unicode code points) from 0, the end exclusive, wherever Solon stores, shows or exports them.
A set of spans is written as JSON, `{"spans": [{"end": 12, "label": "person", "start": 0}]}`, in one way only, so that
equal sets are equal texts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Literal

from solon.errors import ConfigError

Match = Literal["strict", "overlap"]
MOST_SPANS = 1000
"""Spans of one text."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A piece of a text.

    Attributes:
        start: its first character, from 0.
        end: the character after its last.
        label: its kind.
    """

    start: int
    end: int
    label: str

    def overlaps(self, other: Span) -> bool:
        """Whether the two share a character, of whatever kinds they are."""
        return self.start < other.end and other.start < self.end

    def quote(self, text: str) -> str:
        """Its words in a text."""
        return text[self.start : self.end]


class SpanProblem(ValueError):
    """Why spans cannot be those of a text, in words; begins with the key and the value seen."""


def write_spans(spans: Iterable[Span]) -> str:
    """A set of spans as the one text that stands for it."""
    told = [{"end": one.end, "label": one.label, "start": one.start} for one in sorted(set(spans))]
    return json.dumps({"spans": told}, ensure_ascii=False, sort_keys=True)


def read_spans(written: str | None) -> tuple[Span, ...] | None:
    """The spans that a text of `write_spans` stands for; None where it is none."""
    try:
        told = json.loads(written or "")["spans"]
        return tuple(Span(int(one["start"]), int(one["end"]), str(one["label"])) for one in told)
    except (ValueError, KeyError, TypeError):
        return None


def spell_spans(written: str, text: str) -> str:
    """A set of spans of a text for people to read, a line each; what is no set of spans is left as it is."""
    spans = read_spans(written)
    if spans is None:
        return written
    lines = (f"{one.label}: {one.quote(text)} [{one.start}, {one.end})" for one in spans)
    return "\n".join(lines) or "no span"


def text_of(content: Mapping[str, Any]) -> str:
    """The text that spans of a seed lie in: its input, or without one its prompt."""
    return str(content.get("input") or content.get("prompt") or "")


def check_spans(
    told: Any, text: str, kinds: Sequence[str], *, overlap: bool, where: str = "spans"
) -> tuple[Span, ...]:
    """Spans that came from outside, in order, checked against the text in which they lie.

    Args:
        told: a list of objects with `start`, `end` and `label`; a `text` (or `quote`) with it must stand there. No
            span begins or ends with white space, or within what people see as one character.
        kinds: the kinds that there are.
        overlap: whether two spans may share a character; two equal spans never may.
        where: the name of the list, for the message.

    Raises:
        SpanProblem: the list or one of its spans cannot be right.
    """
    if not isinstance(told, Sequence) or isinstance(told, str | bytes):
        raise SpanProblem(f'{where} is {told!r:.60}, no list of {{"start", "end", "label"}}')
    if len(told) > MOST_SPANS:
        raise SpanProblem(f"{where} has {len(told)} spans, more than the {MOST_SPANS} that one text may have")
    whole = character_edges(text)
    found = [_check_span(one, text, whole, kinds, f"{where}[{place}]") for place, one in enumerate(told)]
    order = sorted(range(len(found)), key=lambda place: found[place])
    widest = -1  # the place of the span before that ends last
    for before, place in zip([-1, *order], order, strict=False):
        told_of, same = (
            f"{where}[{place}] {_spell(found[place])}",
            before >= 0 and found[before] == found[place],
        )
        if same:
            raise SpanProblem(f"{told_of} is there twice, also as {where}[{before}]")
        if not overlap and widest >= 0 and found[widest].overlaps(found[place]):
            raise SpanProblem(
                f"{told_of} overlaps {where}[{widest}] {_spell(found[widest])}; [spans] overlap = true allows that"
            )
        if widest < 0 or found[place].end > found[widest].end:
            widest = place
    return tuple(found[place] for place in order)


def _check_span(one: Any, text: str, whole: Container[int], kinds: Sequence[str], where: str) -> Span:
    if not isinstance(one, Mapping):
        raise SpanProblem(f'{where} is {one!r:.60}, no object with "start", "end" and "label"')
    start, end, label = one.get("start"), one.get("end"), one.get("label")
    for name, value in (("start", start), ("end", end)):
        if type(value) is not int:
            raise SpanProblem(f"{where}.{name} is {value!r:.40}, no whole number of characters")
    assert isinstance(start, int)
    assert isinstance(end, int)
    if not 0 <= start < end <= len(text):
        raise SpanProblem(f"{where} is [{start}, {end}), out of range: the text has {len(text)} characters")
    if not text[start:end].strip():
        raise SpanProblem(f"{where} is [{start}, {end}), where the text has white space only")
    trimmed = trim(text, start, end)
    if trimmed != (start, end):
        raise SpanProblem(
            f"{where} is [{start}, {end}) {text[start:end]!r:.60}, with white space at its edge; without it it is "
            f"[{trimmed[0]}, {trimmed[1]})"
        )
    for at in (start, end):
        if at not in whole:
            raise SpanProblem(
                f"{where} is [{start}, {end}) {text[start:end]!r:.60}, whose edge {at} lies within one character as "
                "people see it (a letter with its marks, an emoji of several parts)"
            )
    if not isinstance(label, str) or label not in kinds:
        near = nearest_kind(str(label), kinds)
        raise SpanProblem(f"{where}.label is {label!r:.60}, no kind of [spans] kinds; {near}")
    said = one.get("text", one.get("quote"))
    if said is not None and said != text[start:end]:
        raise SpanProblem(
            f"{where} quotes {said!r:.60}, and {text[start:end]!r:.60} stands at [{start}, {end}); "
            "offsets count characters (code points), the end exclusive"
        )
    return Span(start, end, label)


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """A piece of a text without the white space at its edges."""
    quote = text[start:end]
    return start + len(quote) - len(quote.lstrip()), end - len(quote) + len(quote.rstrip())


def character_edges(text: str) -> Container[int]:
    """The offsets at which what people see as one character begins or ends (extended grapheme clusters, Unicode
    Standard Annex 29). Consonants that a sign joins may be told apart: not all browsers see them as one."""
    import regex

    if text.isascii() and "\r" not in text:
        return range(len(text) + 1)
    edges = {found.start() for found in regex.finditer(r"\X", text)} | {len(text)}
    joined = regex.finditer(r"(?<=[\p{M}\u200d])\p{L}", text)
    return edges | {found.start() for found in joined}


def nearest_kind(said: str, kinds: Sequence[str]) -> str:
    """What to do about a kind that there is not, in words."""
    alike = {" ".join(kind.split()).casefold(): kind for kind in kinds}
    near = get_close_matches(" ".join(said.split()).casefold(), alike, n=1)
    return f"did you mean {alike[near[0]]!r}?" if near else f"it must be one of {', '.join(kinds[:20])}"


def _spell(span: Span) -> str:
    return f"[{span.start}, {span.end}) {span.label}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A span as a model tells it: words that it quotes, and where it says that they stand.

    Attributes:
        quote: the words.
        start: the first character of them; None where it did not say.
        label: its kind.
    """

    quote: str
    start: int | None
    label: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The spans of a model's answer that can stand.

    Attributes:
        spans: those whose quote stands in the text.
        repaired: how many of them stood elsewhere than the model said, and were moved to the nearest place.
        dropped: how many could not stand: a quote that is not in the text, no kind of the list, or a second span at a
            place that is taken.
    """

    spans: tuple[Span, ...]
    repaired: int = 0
    dropped: int = 0


def place_spans(proposals: Iterable[Proposal], text: str, kinds: Sequence[str], *, overlap: bool) -> Placed:
    """Put the spans that a model proposes where their words stand. One is valid only if its quote stands at its
    offsets; otherwise it goes to the nearest place of the quote that is free, or is dropped."""
    found: list[Span] = []
    repaired = dropped = 0
    for one in proposals:
        places = _places(one.quote.strip(), text) if one.label in kinds else []
        spans = (Span(start, start + len(one.quote.strip()), one.label) for start in places)
        free = [span for span in spans if _is_free(span, found, overlap=overlap)]
        if not free:
            dropped += 1
            continue
        said = one.start if one.start is not None else 0
        said += len(one.quote) - len(one.quote.lstrip())
        nearest = min(free, key=lambda span: (abs(span.start - said), span.start))
        repaired += one.start is None or nearest.start != said
        found.append(nearest)
    return Placed(tuple(sorted(found)), repaired, dropped)


def _places(quote: str, text: str) -> list[int]:
    """Where a quote stands and cuts no character, overlapping places included; a whole word where there is such a
    place."""
    if not quote:
        return []
    starts, start, edges = [], text.find(quote), character_edges(text)
    while start >= 0:
        if start in edges and start + len(quote) in edges:
            starts.append(start)
        start = text.find(quote, start + 1)
    whole = [start for start in starts if _is_whole(text, start, start + len(quote))]
    return whole or starts


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a piece of a text neither begins nor ends within a word."""

    def inside(at: int) -> bool:
        return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()

    return not inside(start) and not inside(end)


def _is_free(span: Span, taken: Iterable[Span], *, overlap: bool) -> bool:
    return not any(span == other or (not overlap and span.overlaps(other)) for other in taken)


def merge_spans(
    readings: Sequence[tuple[Sequence[Span], float]], *, support: float, overlap: bool
) -> tuple[Span, ...]:
    """One set out of several readings of a text: each span for which more than the share `support` of all weight
    speaks (all of it always will do). Of those that may not overlap the one with more weight stands, then the longer
    one, then the first.

    Args:
        readings: spans and weight of each.
        support: a share, in [0, 1].
    """
    weights: Counter[Span] = Counter()
    for spans, weight in readings:
        for span in set(spans):
            weights[span] += weight  # type: ignore[assignment]
    total = sum(weight for _, weight in readings)
    enough = [span for span, weight in weights.items() if weight > support * total or weight >= total]
    chosen: list[Span] = []
    for span in sorted(enough, key=lambda one: (-weights[one], one.start - one.end, one)):
        if _is_free(span, chosen, overlap=overlap):
            chosen.append(span)
    return tuple(sorted(chosen))


@dataclass(frozen=True, slots=True)
class Matches:
    """How two sets of spans go together.

    Attributes:
        both: spans of the first set that have a partner in the second.
        first: spans of the first set.
        second: spans of the second set.
    """

    both: int = 0
    first: int = 0
    second: int = 0

    def __add__(self, other: Matches) -> Matches:
        return Matches(self.both + other.both, self.first + other.first, self.second + other.second)

    @property
    def f1(self) -> float | None:
        """Twice the matches by all spans of both; None where neither has any."""
        total = self.first + self.second
        return 2 * self.both / total if total else None


def match_spans(first: Iterable[Span], second: Iterable[Span], how: Match = "strict") -> Matches:
    """Match two sets of spans of one text: `strict` pairs equal ones, `overlap` those of a kind that share a character,
    each with at most one partner (Segura-Bedmar et al. 2013, SemEval task 9)."""
    ours, theirs = sorted(set(first)), sorted(set(second))
    if how == "strict":
        return Matches(len(set(ours) & set(theirs)), len(ours), len(theirs))
    partner: dict[int, int] = {}

    def find(place: int, tried: set[int]) -> bool:
        for other, span in enumerate(theirs):
            if other in tried or span.label != ours[place].label or not span.overlaps(ours[place]):
                continue
            tried.add(other)
            if other not in partner or find(partner[other], tried):
                partner[other] = place
                return True
        return False

    return Matches(sum(find(place, set()) for place in range(len(ours))), len(ours), len(theirs))


UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""Scripts without blanks between words: there each character is a token, as in the field's sets of Chinese names."""


def tokens_of(text: str) -> list[tuple[int, int]]:
    """The words and marks of a text, as offsets in order. They depend on the text alone, never on the spans in it."""
    import regex

    word = rf"[\w--{UNSPACED}][[\w--{UNSPACED}]\p{{M}}\u200c]*"
    pattern = rf"(?V1){UNSPACED}\p{{M}}*|{word}|(?=[^\w\s])\X"
    return [found.span() for found in regex.finditer(pattern, text)]


@dataclass(frozen=True, slots=True)
class Tagged:
    """The tokens of a text with their tags.

    Attributes:
        tokens: each token with its tag.
        widened: a span begins or ends within a token, which is tagged as a whole.
    """

    tokens: tuple[tuple[str, str], ...]
    widened: bool


def bio_tags(text: str, spans: Iterable[Span]) -> Tagged | None:
    """The tokens of a text, each with its tag: `B-kind` begins a span, `I-kind` goes on with it, `O` is in none
    (Ramshaw and Marcus 1995, IOB2). None where spans overlap or share a token, which tags cannot tell."""
    ordered = sorted(spans)
    tagged, begun, widened = [], None, False
    if any(one.overlaps(other) for one, other in pairwise(ordered)):
        return None
    for start, end in tokens_of(text):
        inside = [one for one in ordered if one.start < end and start < one.end]
        if len(inside) > 1:
            return None
        span = inside[0] if inside else None
        widened |= span is not None and not (span.start <= start and end <= span.end)
        tag = "O" if span is None else f"{'I' if span == begun else 'B'}-{span.label}"
        tagged.append((text[start:end], tag))
        begun = span
    return Tagged(tuple(tagged), widened)


def check_kinds(kinds: Sequence[str]) -> None:
    """Check that there are kinds of spans.

    Raises:
        ConfigError: there is none.
    """
    if not kinds:
        raise ConfigError(
            "spans need kinds", next_step='e.g. [spans] kinds = ["person", "product"] in solon.toml'
        )


def count_readings(text: str, spans: Sequence[Span], readings: Sequence[str]) -> dict[str, Any]:
    """Spans as they go out: each with its words and the number of readings that had it (`votes`); with how many
    readings there were, and how many spans of theirs were repaired and dropped.

    Args:
        readings: as models gave them, texts with `spans`, `repaired` and `dropped`.
    """
    told = [json.loads(one) for one in readings]
    votes = Counter(span for one in readings for span in set(read_spans(one) or ()))
    return {
        "spans": [
            {"start": s.start, "end": s.end, "label": s.label, "text": s.quote(text), "votes": votes[s]}
            for s in spans
        ],
        "readings": len(readings),
        "repaired": sum(one.get("repaired", 0) for one in told),
        "dropped": sum(one.get("dropped", 0) for one in told),
    }
