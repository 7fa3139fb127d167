"""How far proposed spans, readings and people agree: F1 of spans, strict and by overlap, by kind.

Source of the two ways to match: SemEval-2013 task 9, Segura-Bedmar et al. 2013 (S13-2056).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.binomial import clopper_pearson
from solon.consensus.resample import ratio_interval
from solon.eval.replay.opinions import counted
from solon.eval.result import ASK_EXPERTS, Figure, SuiteResult, nothing, rate
from solon.eval.suites.agreement import DRAWN_RULES
from solon.formats.records import plain_model
from solon.spans import Match, Matches, Span, match_spans
from solon.store.records import evaluation
from solon.store.records.marks import MarkedText, count_placed, marked_texts

if TYPE_CHECKING:
    from solon.eval.material import Material

Pair = tuple[Sequence[Span], Sequence[Span]]


class SpanF1(BaseModel):
    """F1 of two sides that marked the same texts; n counts texts, and the interval is a bootstrap over them, or the
    exact one of spans where all or none match.

    Attributes:
        strict: spans match that have the same characters and kind.
        overlap: spans of a kind match that share a character, each with one other.
        spans: how many spans both sides have together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    strict: Figure
    overlap: Figure
    spans: int


class Spans(SuiteResult):
    """How far spans agree, all from blind answers with an expert's token.

    Attributes:
        random: what models' readings were merged to and what people left standing, on texts drawn without looking at
            the readings; it speaks for all texts.
        proposed: the same over all answers.
        brought: the same of spans that came with the text.
        by_kind: as `proposed`, by kind of span, on texts where either side has the kind.
        by_reader: each model's readings and what people left standing.
        people: two people on the same text.
        stood: share of the spans that models told whose quote stood at its offsets.
        repaired: share that was moved to where its quote stands.
        dropped: share that could not stand.
    """

    random: SpanF1
    proposed: SpanF1
    brought: SpanF1
    by_kind: dict[str, SpanF1]
    by_reader: dict[str, SpanF1]
    people: SpanF1
    stood: Figure
    repaired: Figure
    dropped: Figure

    def headline(self) -> dict[str, Figure]:
        """Strict and overlap F1 of the proposals on texts drawn at random, and of two people."""
        return {
            "F1 of what models proposed, strict, on texts drawn at random among all": self.random.strict,
            "the same by overlap": self.random.overlap,
            "F1 of two people, strict": self.people.strict,
        }

    def next_step(self) -> str:
        """Whom to ask, where nobody answered."""
        return "" if self.n else ASK_EXPERTS


def evaluate(material: Material) -> Spans:
    """Return how far spans agree, from counted answers, and how many spans of models could stand."""
    with material.store.connect() as connection:
        marked: list[MarkedText] = []
        for part in evaluation.parts_of_runs(connection, material.run_ids):
            about: dict[str, Any] = {"settled": material.settled, "part": part}
            blind = counted(evaluation.answers(connection, material.run_ids, **about))
            marked += marked_texts(connection, blind)
        among = evaluation.settled_items(material.run_ids) if material.settled else None
        placed = count_placed(connection, material.run_ids, among=among)
    seed, total = material.seed, sum(placed.values())
    kinds = sorted({span.label for one in marked for span in (*one.proposed, *one.given)})
    readers = sorted({author for one in marked for author, _ in one.readings})
    read = [one for one in marked if one.readings]
    random = [one for one in read if one.answer.rule in DRAWN_RULES]
    why = "no model told a span"
    return Spans(
        suite="spans",
        n=len(marked),
        random=_f1(_by_text(random, _proposed), seed, "no such text of models was answered blind"),
        proposed=_f1(_by_text(read, _proposed), seed),
        brought=_f1(
            _by_text([one for one in marked if not one.readings], _proposed),
            seed,
            "no spans were brought along",
        ),
        by_kind={kind: _f1(_by_text(read, partial(_of_kind, kind)), seed) for kind in kinds},
        by_reader={
            plain_model(name): _f1(_by_text(read, partial(_of_reader, name)), seed) for name in readers
        },
        people=_f1(_by_two(marked), seed, "no text was marked by two people"),
        stood=rate(placed["stood"], total, why),
        repaired=rate(placed["repaired"], total, why),
        dropped=rate(placed["dropped"], total, why),
        notes=(
            "people saw the proposed spans when they answered: what they left standing leans towards these",
        )
        if marked
        else (),
    )


def _by_text(
    marked: Sequence[MarkedText], pairs_of: Callable[[MarkedText], Sequence[Pair]]
) -> list[list[Pair]]:
    """The pairs of each text, of all who answered it."""
    texts: dict[tuple[str, int, tuple[str, ...]], list[Pair]] = {}
    for one in marked:
        texts.setdefault(one.answer.what, []).extend(pairs_of(one))
    return list(texts.values())


def _proposed(one: MarkedText) -> list[Pair]:
    return [(one.proposed, one.given)]


def _of_kind(kind: str, one: MarkedText) -> list[Pair]:
    """None where neither side has the kind: what is not there is no evidence of it."""
    proposed, given = ([span for span in spans if span.label == kind] for spans in (one.proposed, one.given))
    return [(proposed, given)] if proposed or given else []


def _of_reader(name: str, one: MarkedText) -> list[Pair]:
    return [(spans, one.given) for author, spans in one.readings if author == name]


def _by_two(marked: Sequence[MarkedText]) -> list[list[Pair]]:
    """Of each text that several people marked, what every two of them did, where the same was proposed to all."""
    by_text: dict[tuple[str, int, tuple[str, ...]], dict[str, tuple[Span, ...]]] = {}
    for one in marked:
        by_text.setdefault(one.answer.what, {}).setdefault(one.answer.actor, one.given)
    return [list(combinations(said.values(), 2)) for said in by_text.values() if len(said) > 1]


def _f1(texts: Sequence[Sequence[Pair]], seed: int, why: str = "no expert answered blind") -> SpanF1:
    hows: tuple[Match, Match] = ("strict", "overlap")
    strict, overlap = (_figure(texts, how, seed, why) for how in hows)
    return SpanF1(
        strict=strict, overlap=overlap, spans=sum(len(a) + len(b) for pairs in texts for a, b in pairs)
    )


def _figure(texts: Sequence[Sequence[Pair]], how: Match, seed: int, why: str) -> Figure:
    told = [pairs for pairs in texts if pairs]
    found = [sum((match_spans(*pair, how) for pair in pairs), Matches()) for pairs in told]
    hits = np.array([2.0 * one.both for one in found])
    weight = np.array([float(one.first + one.second) for one in found])
    if not weight.sum():
        return nothing("no span was marked" if told else why, len(told))
    low, high = ratio_interval(hits, weight, seed=seed)
    if low == high:  # all or none match, or there is one text: a bootstrap would be certain
        spans = round(float(weight.sum()) / 2.0 + 0.1)
        low, high = clopper_pearson(min(round(float(hits.sum()) / 2.0), spans), max(spans, 1))
    return Figure(value=float(hits.sum() / weight.sum()), low=low, high=high, n=len(told))
