"""What people who are not proven make of labels, learned where the right answer is known; and what their votes settle
under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solon.consensus.crowd import learn_crowd
from solon.learning.evidence import answers_by_question, final_among, question_of
from solon.questions import LABELLED
from solon.store.learning import evidence as learning
from solon.store.reviewing.known import known_answers
from solon.store.reviewing.voting import settle_waiting
from solon.store.runs import certificates

if TYPE_CHECKING:
    from solon.config.sections import ReviewersConfig
    from solon.questions import Question
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store

LEAST_KNOWN = 20
"""With fewer questions whose answer is known a crowd's confusions are guesses; each answer counts by how reliable its
author is."""


@dataclass(frozen=True, slots=True)
class CrowdAnswers:
    """What people answered to questions of one set of labels.

    Attributes:
        said: question -> person -> label, of those whose decision is not final.
        known: question -> its right label: golden ones, a lead's ruling, or the first decision that is final.
    """

    said: Mapping[str, Mapping[str, str]]
    known: Mapping[str, str]

    @property
    def checked(self) -> int:
        """How many answered questions have a known answer."""
        return sum(question in self.known for question in self.said)


@dataclass(frozen=True, slots=True)
class CrowdLearned:
    """A new version of what is known of a crowd.

    Attributes:
        number: of the version.
        people: how many answered.
        answers: how many answers they gave.
        checked: on how many of these questions the right answer is known.
        settled: waiting questions that the votes so far decide under the new version.
    """

    number: int
    people: int
    answers: int
    checked: int
    settled: int

    def __str__(self) -> str:
        return (
            f"version {self.number} of what {self.people} people confuse was learned of {self.answers} answers, to "
            f"{self.checked} questions with a known one among them"
        )


def learn_of_crowd(store: Store, question: Question, reviewers: ReviewersConfig) -> CrowdLearned | None:
    """Learn who confuses which labels with which, and settle what the votes so far decide under it.

    Returns:
        What was learned; None where the question asks for no label, too little is known, or nothing is new.
    """
    if question.kind != LABELLED or len(question.outcomes) < 2:
        return None
    scope = certificates.crowd_scope(question.outcomes)
    with store.connect() as connection:
        found = gather_crowd(connection, question, reviewers)
        before = certificates.newest_consensus(connection, scope)
        last = certificates.learned_from(connection, before) if before else 0
    answers = sum(map(len, found.said.values()))
    if found.checked < LEAST_KNOWN or answers + found.checked <= last:
        return None
    model = learn_crowd(found.said, found.known, question.outcomes)
    basis = {"usable": answers + found.checked, "known": found.checked}
    with store.transaction() as connection:
        _, number = certificates.add_consensus(connection, scope, model.to_json(), basis)
    people = {person for by_person in found.said.values() for person in by_person}
    settled = settle_waiting(store, question.outcomes, reviewers)
    return CrowdLearned(number, len(people), answers, found.checked, settled)


def gather_crowd(connection: Connection, question: Question, reviewers: ReviewersConfig) -> CrowdAnswers:
    """What people answered blind to questions with these outcomes, over all runs, and what of it is known."""
    given = [one for one in learning.blind_answers(connection) if set(one.outcomes) == set(question.outcomes)]
    final = final_among(connection, {one.actor for one in given}, reviewers)
    said: dict[str, dict[str, str]] = {}
    known: dict[str, str] = {}
    for asked, by_person in answers_by_question(given).items():
        for person, outcome in by_person.items():
            if not question.is_outcome(outcome):
                continue
            if person in final:
                known.setdefault(asked, outcome)
            else:
                said.setdefault(asked, {})[person] = outcome
    ruled = learning.ruled_outcomes(connection)
    known |= {question_of(*asked): outcome for asked, outcome in ruled.items()}
    known |= known_answers(connection)
    return CrowdAnswers(said, {asked: right for asked, right in known.items() if question.is_outcome(right)})
