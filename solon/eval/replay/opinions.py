"""Answers of people beside the panel's opinion on the same candidates, as it was before they answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Consensus, Vote, judge_item
from solon.consensus.traits import UNKNOWN, Traits
from solon.store.records import evaluation
from solon.store.records.evaluation import Answer, Part, Shown
from solon.store.runs.traits import traits_on
from solon.store.runs.verdicts import against_on

if TYPE_CHECKING:
    from solon.store.database.engine import Connection


@dataclass(frozen=True, slots=True)
class Opinion:
    """One answer of a person, and what the panel thought under the version that the item was pinned to.

    Attributes:
        answer: of the person.
        consensus: what the panel thought.
        votes: that it rests on.
        traits: what else its version knows of the item.
    """

    answer: Answer
    consensus: Consensus
    votes: tuple[Vote, ...]
    traits: Traits = UNKNOWN

    @property
    def agrees(self) -> bool:
        """Whether the person's outcome is the panel's best one; a tie, both_bad and an edit never are."""
        return self.answer.outcome == self.consensus.best


def counted(answers: Sequence[Answer]) -> list[Answer]:
    """Return the first blind answer of each person on each set of candidates; none without an expert's token."""
    first: dict[tuple[str, Shown], Answer] = {}
    for answer in answers:
        if answer.counts:
            first.setdefault((answer.actor, answer.what), answer)
    return list(first.values())


@dataclass(frozen=True, slots=True)
class Said:
    """What people answered about some of the items.

    Attributes:
        part: the condition on these items.
        answers: all that were not taken back, the oldest first.
        blind: those of them that count, see `counted`.
        opinions: on what the panel judged, too.
    """

    part: Part
    answers: list[Answer]
    blind: list[Answer]
    opinions: list[Opinion]


def read_said(connection: Connection, run_ids: Sequence[str], *, settled: bool = False) -> Iterator[Said]:
    """Yield what people answered in runs, some items after the other: answers and votes take kilobytes each.

    Args:
        settled: only about items that have ended and about which nobody has still to answer.
    """
    for part in evaluation.parts_of_runs(connection, run_ids):
        answers = evaluation.answers(connection, run_ids, settled=settled, part=part)
        blind = counted(answers)
        yield Said(part, answers, blind, opinions_on(connection, blind))


def opinions_on(connection: Connection, answers: Sequence[Answer]) -> list[Opinion]:
    """Return the answers on candidates that the panel gave at least one verdict on, each with the panel's
    opinion; without those that cannot be read.

    An item keeps the consensus version that it was routed under once a person has decided it, and audits
    teach nothing: no answer is compared with a version that learned from it.
    """
    votes = evaluation.votes_for(connection, [answer.what for answer in answers])
    against = against_on(connection, [(answer.question, answer.shown) for answer in answers])
    payloads = evaluation.consensus_of_items(connection, sorted({answer.item_id for answer in answers}))
    models: dict[int, ConsensusModel] = {}
    traits = _Traits(connection, answers)
    opinions = []
    for answer in answers:
        cast = votes[answer.what]
        if not cast or answer.outcome is None:
            continue
        model = _model(models, payloads[answer.item_id]).speaking_of(answer.question.outcomes)
        known = traits.of(model, answer)
        found = judge_item(model, cast, against=against[answer.shown], traits=known)
        opinions.append(Opinion(answer, found, cast, known))
    return opinions


class _Traits:
    """What versions know of items besides votes, read once for all answers by what a version asks for."""

    def __init__(self, connection: Connection, answers: Sequence[Answer]) -> None:
        self._connection, self._answers = connection, answers
        self._known: dict[tuple[str, bool], dict[tuple[str, ...], Traits]] = {}

    def of(self, model: ConsensusModel, answer: Answer) -> Traits:
        asked = (model.segment, bool(model.texts))
        if asked not in self._known:
            wanted = [(one.item_id, one.shown) for one in self._answers]
            self._known[asked] = traits_on(self._connection, wanted, segment=asked[0], texts=asked[1])
        return self._known[asked].get(tuple(answer.shown), UNKNOWN)


def _model(known: dict[int, ConsensusModel], payload: dict[str, Any]) -> ConsensusModel:
    """The model of a payload, of which items of one version have the same."""
    if (key := id(payload)) not in known:
        known[key] = ConsensusModel.from_json(payload)
    return known[key]


def overlaps(answers: Sequence[Answer]) -> dict[frozenset[str], dict[str, str]]:
    """Return what several people said independently of the same candidates: set of candidates -> actor ->
    outcome.

    Outcomes are put in one order of the candidates, whichever way each review showed them.
    """
    outcomes: dict[frozenset[str], dict[str, str]] = {}
    for answer in answers:
        canonical = tuple(sorted(answer.shown))
        outcome = answer.question.outcome_of(answer.choice, answer.candidate_id, canonical)
        if outcome is None:
            continue
        outcomes.setdefault(frozenset(canonical), {}).setdefault(answer.actor, outcome)
    return {shown: outcome for shown, outcome in outcomes.items() if len(outcome) >= 2}
