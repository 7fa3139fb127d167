"""Who confuses what with what: for each person whose answers are votes, and each judge, what they gave where something
else was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.config.sections import ReviewersConfig
from solon.consensus.crowd import count_confusions
from solon.consensus.panel import is_directed
from solon.eval.result import Figure, SuiteResult, rate
from solon.formats.records import plain_model
from solon.learning.admission import speaks_for_all
from solon.learning.crowd import gather_crowd
from solon.store.learning.evidence import DecidedItem, counted_decisions, questions_asked
from solon.store.records import evaluation
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.review_rows import VOTES
from solon.store.runs import runs
from solon.store.runs.verdicts import RESOLVER, votes_on

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.store.database.engine import Connection

MOST = 5
"""Confusions of a voter that are told with an interval; the counts hold all of them."""
Counts = dict[str, Counter[tuple[str, str]]]
"""Voter -> how often each outcome was given where another, or the same, was right."""
IN_AUDITS = ", in audits"
"""Added to a judge's name: what it gave on records that were accepted, which audits check."""


class Confused(BaseModel):
    """One confusion of one voter.

    Attributes:
        right: the outcome that was right.
        given: the one that the voter gave.
        share: of its answers where `right` was right; exact 95% interval.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    right: str
    given: str
    share: Figure


class Voter(BaseModel):
    """What one voter confuses.

    Attributes:
        name: of the person, or of the judge's model or function.
        kind: `person` or `judge`.
        right: how often it is right, of all its answers where the right one is known.
        confused: its commonest confusions, the most frequent first.
        counts: right outcome -> outcome given -> how often.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: str
    right: Figure
    confused: tuple[Confused, ...]
    counts: dict[str, dict[str, int]]


class Confusions(SuiteResult):
    """Who confuses what with what.

    Attributes:
        people: all people together; None where no answer of theirs is known to be right or wrong.
        voters: each person and judge, those with the most answers first.
    """

    people: Voter | None
    voters: tuple[Voter, ...]

    def headline(self) -> dict[str, Figure]:
        """The commonest confusions of people, or of the judge with the most answers."""
        first = self.people or next(iter(self.voters), None)
        told = first.confused[:3] if first else ()
        return {f"{one.given} given for {one.right}": one.share for one in told}


def evaluate(material: Material, by_name: bool = True) -> Confusions:
    """Count what people and judges gave where the right outcome is known.

    Of people that is what golden questions, leads and proven people say; of judges what experts decided on items that
    no verdict had brought to them, and by itself, what audits say of records that were accepted.

    Args:
        by_name: people have their names; otherwise they are called as the log calls them.
    """
    with material.store.connect() as connection:
        names = {one.actor: one.name for one in list_experts(connection)} if by_name else {}
        judged, audited = Counts(), Counts()
        for part in evaluation.parts_of_runs(connection, material.run_ids):
            among = part & evaluation.are_settled() if material.settled else part
            decided = [
                one
                for one in counted_decisions(connection, material.store.key, material.run_ids, part=among)
                if one.actor != VOTES and is_directed(one.question.outcomes)
            ]
            asked = [one for one in decided if one.kind == "interrupt" and speaks_for_all(one)]
            _add_judges(connection, asked, judged)
            _add_judges(connection, [one for one in decided if one.kind == "audit"], audited)
        people = _of_people(connection, material)
    found = [_voter(plain_model(name), "judge", counts) for name, counts in judged.items()]
    found += [_voter(f"{plain_model(name)}{IN_AUDITS}", "judge", counts) for name, counts in audited.items()]
    found += [_voter(names.get(actor, actor), "person", counts) for actor, counts in people.items()]
    together = sum(people.values(), Counter[tuple[str, str]]())
    n = sum(voter.right.n for voter in found)
    notes = (
        ["people who answered doubtful items look worse than they are: leads are shown those"]
        if people
        else []
    )
    if audited:
        notes.append(
            "in audits judges look better than on all items: those records are the ones that were accepted"
        )
    return Confusions(
        suite="confusions",
        n=n,
        notes=tuple(notes),
        people=_voter("all people", "person", together) if together else None,
        voters=tuple(sorted(found, key=lambda voter: (-voter.right.n, voter.name))),
    )


def _of_people(connection: Connection, material: Material) -> Counts:
    """Each set of outcomes once, by who is proven in the first run that asks for it."""
    total = Counts()
    seen: set[frozenset[str]] = set()
    for run in material.runs:
        stored = runs.config_payload(connection, run.config_id).get("reviewers", {})
        for question in questions_asked(connection, run.id):
            outcomes = frozenset(question.outcomes)
            if outcomes in seen or len(outcomes) < 2 or not is_directed(question.outcomes):
                continue
            seen.add(outcomes)
            crowd = gather_crowd(connection, question, ReviewersConfig.model_validate(stored))
            for actor, counts in count_confusions(crowd.said, crowd.known).items():
                total.setdefault(actor, Counter()).update(counts)
    return total


def _add_judges(connection: Connection, decided: Sequence[DecidedItem], total: Counts) -> None:
    """A judge's verdicts on an item are one answer where they are of one mind, else none."""
    votes = votes_on(connection, [(one.item_id, one.attempt, one.shown) for one in decided])
    for question in dict.fromkeys(one.question for one in decided):
        truth = {
            one.item_id: str(one.outcome)
            for one in decided
            if one.question == question and question.is_outcome(one.outcome)
        }
        said: dict[str, dict[str, str]] = {}
        for item in truth:
            by_judge: dict[str, set[str]] = {}
            for vote in votes.get(item, ()):
                if vote.seat != RESOLVER:
                    by_judge.setdefault(vote.judge, set()).add(vote.outcome)
            one_mind = {name: next(iter(given)) for name, given in by_judge.items() if len(given) == 1}
            said[item] = {name: given for name, given in one_mind.items() if question.is_outcome(given)}
        for name, counts in count_confusions(said, truth).items():
            total.setdefault(name, Counter()).update(counts)


def _voter(name: str, kind: str, counts: Counter[tuple[str, str]]) -> Voter:
    n, hits = sum(counts.values()), sum(k for (right, given), k in counts.items() if right == given)
    of: Counter[str] = Counter()
    for (right, _), k in counts.items():
        of[right] += k
    wrong = sorted(((k, *cell) for cell, k in counts.items() if cell[0] != cell[1]), reverse=True)
    table: dict[str, dict[str, Any]] = {}
    for (right, given), k in sorted(counts.items()):
        table.setdefault(right, {})[given] = k
    return Voter(
        name=name,
        kind=kind,
        right=rate(hits, n),
        confused=tuple(
            Confused(right=right, given=given, share=rate(k, of[right])) for k, right, given in wrong[:MOST]
        ),
        counts=table,
    )
