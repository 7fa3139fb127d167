"""How the records of a frozen set stand with the experts, and what the sample of it shows by now.

Whatever happens to a record between freezing and release is counted against the promise, or takes the record out of it;
nothing is kept silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solon.consensus.finite import Look, Plan, most_allowed, most_wrong, plan_sample
from solon.consensus.target import read_target
from solon.eval.releases.releases import PromisedRecord
from solon.learning.evidence import final_among
from solon.store.records import checking
from solon.store.records.release_sets import content_of

if TYPE_CHECKING:
    from solon.config.sections import ReviewersConfig
    from solon.consensus.target import Target
    from solon.store.database.engine import Connection
    from solon.store.records.checking import RecordQuestion
    from solon.store.records.release_sets import FrozenRecord, FrozenSet

RIGHT, WRONG = "right", "wrong"
AGREES, DISAGREES, CHANGED, OPEN = "agrees", "disagrees", "changed", "open"
"""How a drawn record stands: an expert's answer agrees with it or not; it changed before anybody answered; it waits."""
EXPERTS, SAMPLE = "experts", "sample"
"""How a released record is known: experts decided or confirmed it, or the sample speaks for it. Or it is `changed`."""
FOUND_WRONG = "found_wrong"
"""Why a record is left out: experts disagree with it."""
GRANTED, ASKED, REFUSED = "granted", "asked", "refused"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the experts whom a promise names say of records.

    Attributes:
        target: whose answers count.
        answers: question -> (person, what they say), in the order in which it was said.
        rulings: question -> what a lead ruled.
        final: people whose answers decide.
    """

    target: Target
    answers: Mapping[checking.Asked, list[tuple[str, str]]]
    rulings: Mapping[checking.Asked, str]
    final: frozenset[str]

    @classmethod
    def read(
        cls,
        connection: Connection,
        questions: Iterable[RecordQuestion],
        target: str,
        reviewers: ReviewersConfig,
    ) -> Standing:
        """What was said of these records by now."""
        asked = list(questions)
        answers = checking.answers_to(connection, asked)
        names = {actor for given in answers.values() for actor, _ in given}
        rulings = checking.rulings_on(connection, {one.asked for one in asked})
        return cls(read_target(target), answers, rulings, final_among(connection, names, reviewers))

    def of(self, question: RecordQuestion) -> str | None:
        """`right` or `wrong`; None while too few have answered.

        What a single expert decided is right by definition, where a single expert is whom the promise speaks of.
        """
        if question.by_expert and self.target.experts == 1:
            return RIGHT
        ruled, said = self.rulings.get(question.asked), self._said(question)
        audited = ruled or self.target.audit_outcome(said)
        outcome = self.target.outcome(said, ruled) if question.by_expert else audited
        if outcome is None or question.says is None:
            return None
        return RIGHT if outcome == question.says else WRONG

    def missing(self, question: RecordQuestion) -> int:
        """How many further people must answer before it is known."""
        wanted = self.target.experts if question.by_expert else self.target.audited_by
        return max(0, wanted - len(self._said(question)))

    def _said(self, question: RecordQuestion) -> list[str]:
        return [said for actor, said in self.answers.get(question.asked, ()) if actor in self.final]


@dataclass(frozen=True, slots=True)
class SetNow:
    """A frozen set as it would be released now.

    Attributes:
        records: what would be released, by the id of the record, with how each is known.
        left_out: why others are not, by id.
        unchanged: frozen records that are in force as they were, by id.
        found_wrong: tested records that experts disagree with.
        put_right: tested records that experts decided or confirmed since, or that now say what experts do.
        changed: released records that say something else than they did, or that experts no longer stand behind; all of
            them count as wrong.
        gone: frozen records whose item has no record here any more.
    """

    records: dict[str, PromisedRecord]
    left_out: dict[str, str]
    unchanged: frozenset[str]
    found_wrong: int
    put_right: int
    changed: int
    gone: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a frozen set comes to at one time.

    Attributes:
        plan: what was planned to be asked.
        looks: how many looks it has come to; 0 where nothing needs to be asked.
        state: granted, asked (answers are missing), or refused.
        sample: every record drawn by this look, with how it stands.
        bound: so many of the tested records were wrong at most when the set was frozen.
        now: the set as it would be released.
    """

    plan: Plan
    looks: int
    state: str
    sample: tuple[tuple[FrozenRecord, str], ...]
    bound: int
    now: SetNow

    @property
    def slips(self) -> int:
        """Drawn records that disagree with the experts, or that changed before anybody answered."""
        return sum(state in (DISAGREES, CHANGED) for _, state in self.sample)

    @property
    def waiting(self) -> int:
        """Drawn records that too few people have answered."""
        return sum(state == OPEN for _, state in self.sample)

    @property
    def wrong_at_most(self) -> int:
        """So many of the records that would be released are wrong at most."""
        return _wrong_at_most(self.bound, self.now)

    @property
    def agreement(self) -> float:
        """So large a share of them agrees at least; 0 where there are none."""
        return 1.0 - self.wrong_at_most / len(self.now.records) if self.now.records else 0.0


@dataclass(frozen=True, slots=True)
class KnownSet:
    """A frozen set with all that is known of it by now.

    Attributes:
        plan: what was planned to be asked.
        questions: its records, and those in their place, as questions, by id.
        standing: what experts said of them.
        now: the set as it would be released.
        drawn: every record that is drawn by the last look, in the order of the draw, with how it stands.
    """

    plan: Plan
    questions: dict[str, RecordQuestion]
    standing: Standing
    now: SetNow
    drawn: tuple[tuple[FrozenRecord, str], ...]

    def look(self, promise: float) -> Finding:
        """The first look that grants the promise or waits for answers, else the last one.

        A look is decided as soon as the open answers cannot change what comes of it, so that nothing is gained by the
        moment.

        Args:
            promise: the share that is to be promised; it may be smaller than the one that was planned for.
        """
        bound, state, taken, sample = self.plan.rest, REFUSED, 0, self.drawn
        if not self.plan.looks and _keeps(bound, self.now, promise):
            state = GRANTED
        for look in self.plan.looks:
            taken += 1
            sample = self.drawn[: look.asked]
            bound = min(bound, self.bound_at(look))
            if _keeps(bound, self.now, promise):
                state = GRANTED
                break
            if _keeps(min(bound, self.bound_at(look, open_agree=True)), self.now, promise):
                state = ASKED
                break
        return Finding(self.plan, taken, state, sample, bound, self.now)

    def bound_at(self, look: Look, *, open_agree: bool = False) -> int:
        """The most records of the tested ones that were wrong when the set was frozen, by one look.

        Args:
            open_agree: those that nobody has answered count as agreement; else as disagreement.
        """
        against = (DISAGREES, CHANGED) if open_agree else (DISAGREES, CHANGED, OPEN)
        slips = sum(state in against for _, state in self.drawn[: look.asked])
        return most_wrong(self.plan.rest, look.asked, slips, look.error)


def know_set(
    connection: Connection,
    key: str,
    frozen: FrozenSet,
    present: Sequence[Mapping[str, Any]],
    reviewers: ReviewersConfig,
) -> KnownSet:
    """What is known of a frozen set by the answers that there are.

    Args:
        key: of the store.
        present: rows of the records that a release would write now.
        reviewers: whose answers decide.
    """
    names = {one.record_id for one in frozen.records} | {str(row["id"]) for row in present}
    questions = checking.questions_of(connection, names)
    standing = Standing.read(connection, questions.values(), frozen.target, reviewers)
    now = _compare(key, frozen, present, questions, standing)
    plan = plan_of(frozen)
    order = frozen.draw(key)[: plan.looks[-1].asked] if plan.looks else []
    drawn = tuple((one, _state_of(one, questions, standing, now)) for one in order)
    return KnownSet(plan, questions, standing, now, drawn)


def plan_of(frozen: FrozenSet) -> Plan:
    """What was planned when the set was frozen."""
    return plan_sample(
        len(frozen.records),
        frozen.decided,
        promise=frozen.promise,
        confidence=frozen.confidence,
        slips=frozen.slips,
        attempt=frozen.attempt,
    )


def _compare(
    key: str,
    frozen: FrozenSet,
    present: Sequence[Mapping[str, Any]],
    questions: Mapping[str, RecordQuestion],
    standing: Standing,
) -> SetNow:
    was = {one.item_id: one for one in frozen.records}
    here = {str(row["lineage"]["item"]): row for row in present}
    records: dict[str, PromisedRecord] = {}
    left_out: dict[str, str] = {}
    unchanged: set[str] = set()
    put_right = 0
    for item, row in here.items():
        one = was.get(item)
        if one is None:
            continue
        same = one.content == content_of(key, row)
        if same:
            unchanged.add(one.record_id)
        stands = standing.of(questions[row["id"]])
        if stands == WRONG:
            left_out[row["id"]] = FOUND_WRONG
            continue
        by = EXPERTS if stands == RIGHT else SAMPLE if same and one.tested else CHANGED
        put_right += by == EXPERTS and one.tested
        records[row["id"]] = PromisedRecord(by, row["texts_sha256"])
    tested = (questions[one.record_id] for one in frozen.records if one.tested and one.record_id in questions)
    return SetNow(
        records,
        left_out,
        frozenset(unchanged),
        found_wrong=sum(standing.of(question) == WRONG for question in tested),
        put_right=put_right,
        changed=sum(one.by == CHANGED for one in records.values()),
        gone=len(was.keys() - here.keys()),
    )


def _state_of(
    one: FrozenRecord, questions: Mapping[str, RecordQuestion], standing: Standing, now: SetNow
) -> str:
    question = questions.get(one.record_id)
    stands = standing.of(question) if question is not None else None
    if stands is not None:
        return AGREES if stands == RIGHT else DISAGREES
    asked = question is not None and question.can_be_asked and one.record_id in now.unchanged
    return OPEN if asked else CHANGED


def _wrong_at_most(bound: int, now: SetNow) -> int:
    return min(len(now.records), max(0, bound - now.found_wrong) + now.changed)


def _keeps(bound: int, now: SetNow, promise: float) -> bool:
    return bool(now.records) and _wrong_at_most(bound, now) <= most_allowed(len(now.records), promise)
