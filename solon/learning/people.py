"""Whether each person is as reliable as is wanted, and signs that somebody does not read: for leads, who may ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solon.consensus.alarms import (
    Sign,
    count_followed,
    count_hurried,
    count_same_key,
    count_same_place,
    signs,
)
from solon.consensus.levels import LevelTest, alternatives, check_levels
from solon.consensus.worth import CHARACTERS_PER_SECOND
from solon.questions import PAIR, question_of
from solon.store.learning.evidence import blind_answers
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.known import known_answers, known_outcomes
from solon.store.reviewing.manners import manners_of

if TYPE_CHECKING:
    from solon.store.database.engine import Connection
    from solon.store.reviewing.manners import Manner

SIGNS = {
    "hurried": "answers in under a third of the time that it takes to read what is shown",
    "place": "prefers what stands in one place",
    "key": "gives one answer where others give another",
    "follows": "agrees with suggestions more often than answers given without them",
}
"""What each sign says of a person."""


@dataclass(frozen=True, slots=True)
class PersonCheck:
    """One person's test against the wanted level, and what is noticed of how they answer.

    Attributes:
        id: id of the person.
        name: their name.
        level: answers to golden questions against the wanted level.
        signs: hurried, place, key and follows, each with n.
    """

    id: str
    name: str
    level: LevelTest
    signs: dict[str, Sign]

    @property
    def alarms(self) -> tuple[str, ...]:
        """The signs at which a lead should look."""
        return tuple(kind for kind, sign in self.signs.items() if sign.alarm)

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        if self.level.verdict != "unknown":
            return {"meets": "meets it", "misses": "does not meet it"}[self.level.verdict]
        return (
            f"cannot tell yet: {self.level.more} more"
            if self.level.more
            else "cannot tell: near the wanted level"
        )


@dataclass(frozen=True, slots=True)
class PeopleCheck:
    """Everybody's test.

    Attributes:
        wanted: share of golden questions that a person shall answer rightly.
        better: the level above it at which power is stated.
        worse: the level below it at which power is stated.
        tested: people who answered any golden question; the tests are adjusted for their number.
        people: everybody whose access stands, by name.
    """

    wanted: float
    better: float
    worse: float
    tested: int
    people: tuple[PersonCheck, ...]


def check_people(connection: Connection, key: str, wanted: float) -> PeopleCheck:
    """Everybody's test against the wanted level, and signs that somebody does not read. Nothing follows from either.

    Args:
        key: of the store; it drew in which order candidates were shown.

    Raises:
        ConfigError: the wanted level is not between 0.5 and 1.
    """
    better, worse = alternatives(wanted)
    people = [one for one in list_experts(connection) if one.revoked_at is None]
    right = known_outcomes(connection)
    counts = {one.actor: (sum(right.get(one.actor, [])), len(right.get(one.actor, []))) for one in people}
    levels = check_levels(counts, wanted)
    noticed = _notice(connection, key, list(counts))
    return PeopleCheck(
        wanted,
        better,
        worse,
        sum(n > 0 for _, n in counts.values()),
        tuple(
            PersonCheck(
                one.id, one.name, levels[one.actor], {kind: noticed[kind][one.actor] for kind in SIGNS}
            )
            for one in people
        ),
    )


def _notice(connection: Connection, key: str, actors: Sequence[str]) -> dict[str, dict[str, Sign]]:
    by_actor: dict[str, list[Manner]] = {actor: [] for actor in actors}
    manners = manners_of(connection, key, actors)
    for one in manners:
        by_actor[one.actor].append(one)
    labelled = {one.question for one in manners if question_of(one.schema) != PAIR}
    others = _said_by_others(connection, labelled) if labelled else {}
    unseen = [
        _followed(one) for one in manners if one.suggestion and not one.suggestion["seen"] and one.outcome
    ]
    return {
        "hurried": signs({actor: count_hurried(_ratios(own)) for actor, own in by_actor.items()}),
        "place": signs({
            actor: count_same_place([one.place for one in own if one.place is not None])
            for actor, own in by_actor.items()
        }),
        "key": signs({actor: _same_key(own, others) for actor, own in by_actor.items()}),
        "follows": signs({
            actor: count_followed(
                [_followed(one) for one in own if one.suggestion and one.suggestion["seen"] and one.outcome], unseen
            )
            for actor, own in by_actor.items()
        }),
    }  # fmt: skip


def _ratios(own: Sequence[Manner]) -> list[float]:
    """The time of each answer, as a share of that for reading the candidates once."""
    return [
        one.seconds * CHARACTERS_PER_SECOND / one.characters
        for one in own
        if one.seconds is not None and one.characters
    ]


def _followed(one: Manner) -> bool:
    return one.suggestion is not None and one.outcome == one.suggestion["outcome"]


def _said_by_others(connection: Connection, questions: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """question -> (person, answer): what is known first, then blind answers in the order in which they were given."""
    said = {question: [("", outcome)] for question, outcome in known_answers(connection).items()}
    for blind in blind_answers(connection, {question.partition(":")[0] for question in questions}):
        if blind.outcome is not None:
            said.setdefault(f"{blind.item_id}:{blind.attempt}", []).append((blind.actor, blind.outcome))
    return said


def _same_key(own: Sequence[Manner], others: dict[str, list[tuple[str, str]]]) -> tuple[int, int, float]:
    """Of the question that the person answered most often and another person, too; of pairs the place tells more."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    for one in own:
        other = next((said for who, said in others.get(one.question, ()) if who != one.actor), None)
        if one.outcome and other is not None and question_of(one.schema) != PAIR:
            pairs.setdefault(one.schema, []).append((one.outcome, other))
    commonest = Counter({schema: len(found) for schema, found in pairs.items()}).most_common(1)
    if not commonest:
        return 0, 0, 1.0
    schema = commonest[0][0]
    return count_same_key(pairs[schema], len(question_of(schema).outcomes))
