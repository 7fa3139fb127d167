"""What the answers of people who are not proven say together: who confuses what with what, and which label is
commonest.

Each person is a voter as a judge is (`learn.fit`): by a class prior and by confusions, of the whole crowd and of each
person, with undecided items beside the clamped ones (Dawid and Skene 1979); without decisions by agreement alone.
Errors of people are taken as independent of each other's, given the truth. Imports numpy only where it learns, no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item

Said = Mapping[str, Mapping[str, str]]
"""question -> person -> the outcome that they gave."""
TINY = 1e-12
"""Least probability that anything is taken to have."""


def learn_crowd(said: Said, known: Mapping[str, str], outcomes: Sequence[str]) -> ConsensusModel:
    """Return what is learned of a crowd from the questions that it answered, as a consensus model whose voters are the
    people.

    Args:
        said: also of questions whose answer nobody knows.
        known: question -> its right answer, by golden questions and by people whose decision is final.
        outcomes: of the questions; at least two.
    """
    from solon.consensus.learn import Decision, fit

    votes = {question: _as_votes(answers.items()) for question, answers in said.items()}
    decisions = [Decision(question, right) for question, right in known.items() if question in votes]
    return fit(votes, decisions, outcomes=outcomes, correlation=0.0, calibration="none")


def believe_crowd(
    model: ConsensusModel,
    answers: Iterable[tuple[str, str]],
    panel: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the probability of each outcome after these answers. Those that name no outcome move nothing.

    Args:
        model: what was learned of the crowd.
        answers: person and outcome, in any order.
        panel: probability of each outcome by a panel, as far as it is believed; it then takes the place of how common
            each outcome is.
    """
    posterior = judge_item(model, _as_votes(answers)).posterior
    if panel is None:
        return posterior
    common = judge_item(model, ()).posterior
    weights = {
        outcome: max(panel.get(outcome, 0.0), TINY) * max(p, TINY) / max(common[outcome], TINY)
        for outcome, p in posterior.items()
    }
    total = sum(weights.values())
    return {outcome: weight / total for outcome, weight in weights.items()}


def _as_votes(answers: Iterable[tuple[str, str]]) -> list[Vote]:
    return [Vote(person, outcome=outcome) for person, outcome in answers]


def count_confusions(said: Said, known: Mapping[str, str]) -> dict[str, Counter[tuple[str, str]]]:
    """Return how often each voter gave which outcome where which was right: voter -> (right, given) -> how often."""
    counts: dict[str, Counter[tuple[str, str]]] = {}
    for question, answers in said.items():
        if question in known:
            for voter, given in answers.items():
                counts.setdefault(voter, Counter())[known[question], given] += 1
    return counts
