"""Figures for reviewers (their own) and leads (everyone's, and the runs')."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from solon.consensus.binomial import clopper_pearson
from solon.eval.replay.opinions import counted, overlaps
from solon.eval.report.promise import RunPromise, find_promised, read_promise
from solon.eval.result import Figure
from solon.eval.suites.agreement import measure_experts
from solon.learning.people import SIGNS, PeopleCheck, PersonCheck, check_people
from solon.review.kept import Reading
from solon.review.language import IN_ENGLISH, Language
from solon.review.schemas.queue import (
    PeopleTest,
    PersonTest,
    QueueCounts,
    ReviewerStats,
    RunStats,
    SelfAgreement,
    SignOut,
    Statistics,
)
from solon.review.state import Room
from solon.store.records import evaluation
from solon.store.reviewing.deliveries import pending_deliveries
from solon.store.reviewing.experts import ExpertRow, list_experts
from solon.store.reviewing.known import known_outcomes
from solon.store.reviewing.repeats import repeated_answers
from solon.store.reviewing.review_lists import Work, work_by_actor
from solon.store.runs.certificates import changes, newest_told
from solon.store.runs.items import are_many, count_states_by_run
from solon.store.runs.runs import Spent, all_runs, count_calls, spent

if TYPE_CHECKING:
    from solon.store.database.engine import Connection
    from solon.store.records.evaluation import Answer
    from solon.store.runs.run_row import RunRow


@dataclass(frozen=True, slots=True)
class People:
    """What everyone did, and how far they agree with each other: what takes long to read in a large store.

    Attributes:
        work: how much everyone did, by actor.
        right: whether each answer to a known question was right, by actor.
        compared: in how many pairs of blind answers to one question each person's is one, by actor.
        agreed: how many of these agree.
        promised: id of the run of whose answers `both` speaks; None: of those of all runs.
        both: how often two experts agree.
        repeated: everyone who was asked again what they had answered.
        checked: everyone's test.
    """

    work: Mapping[str, Work]
    right: Mapping[str, list[bool]]
    compared: Counter[str]
    agreed: Counter[str]
    promised: str | None
    both: Figure
    repeated: list[SelfAgreement]
    checked: PeopleCheck

    def of(self, one: ExpertRow) -> ReviewerStats:
        """The figures of one person."""
        met = self.agreed[one.actor], self.compared[one.actor]
        return _stats(one, self.work.get(one.actor, Work()), met, self.right.get(one.actor, []))


def _read_people(connection: Connection, key: str, wanted: float) -> People:
    listed = [run.id for run in all_runs(connection)]
    blind = own = counted(evaluation.answers(connection, listed, telling=True))
    compared, agreed = _pairs(blind)
    promised = find_promised(connection)
    if promised is not None and listed != [promised.id]:
        own = counted(evaluation.answers(connection, [promised.id], telling=True))
    return People(
        work=work_by_actor(connection),
        right=known_outcomes(connection),
        compared=compared,
        agreed=agreed,
        promised=promised.id if promised else None,
        both=measure_experts(own).experts_agree,
        repeated=_repeated(connection),
        checked=check_people(connection, key, wanted),
    )


def statistics(
    room: Room, connection: Connection, expert: ExpertRow, say: Language = IN_ENGLISH
) -> Statistics:
    """Return the figures that a person may see: experts their own; leads everyone's, without ranking, and the runs'. In
    a large store they are as of a minute ago, or up to ten."""
    read = partial(_read_people, key=room.store.key, wanted=room.reviewers.wanted)
    many = are_many(connection)
    people = room.people.get("", partial(read, connection)) if many else read(connection)
    figures = _figures(room, connection, expert, say, people)
    if expert.may("lead"):
        figures.runs = run_statistics(room, connection)
    return figures


def look_at_people(
    room: Room, connection: Connection, expert: ExpertRow, say: Language = IN_ENGLISH
) -> Reading[Statistics] | None:
    """Return the figures that a person may see, without the runs', at once; None while they are being counted: that
    happens in a large store."""
    read = partial(_read_people, key=room.store.key, wanted=room.reviewers.wanted)
    people = room.look(connection, room.people, "", read)
    if people is None:
        return None
    return Reading(_figures(room, connection, expert, say, people.value), people.at)


def _figures(
    room: Room, connection: Connection, expert: ExpertRow, say: Language, people: People
) -> Statistics:
    figures = Statistics(queue=QueueCounts(**room.live.counts()), me=people.of(expert))
    if expert.may("lead"):
        both = people.both
        figures.team = [people.of(one) for one in list_experts(connection)]
        figures.compared_in = people.promised
        figures.compared, figures.agreed = both.n, round((both.value or 0.0) * both.n)
        figures.agreement = [round(both.low, 3), round(both.high, 3)] if both.known else None
        figures.repeated = people.repeated
        figures.test = _told(people.checked, say)
    return figures


def look_at_promise(room: Room, connection: Connection, run: RunRow) -> Reading[RunPromise] | None:
    """Return what is promised of a run; None while it is being counted: that happens in a large store."""
    return room.look(connection, room.promises, (run.id, changes(connection)), partial(read_promise, run=run))


def _pairs(blind: Sequence[Answer]) -> tuple[Counter[str], Counter[str]]:
    """In how many pairs of blind answers to one question each person's is one, and how many of them agree, by actor."""
    compared, agreed = Counter[str](), Counter[str]()
    for answers in overlaps(blind).values():
        for pair in combinations(answers.items(), 2):
            for actor, _ in pair:
                compared[actor] += 1
                agreed[actor] += pair[0][1] == pair[1][1]
    return compared, agreed


def _told(found: PeopleCheck, say: Language) -> PeopleTest:
    people = [
        PersonTest(
            id=one.id,
            name=one.name,
            n=one.level.n,
            right=one.level.right,
            interval=[round(bound, 3) for bound in one.level.interval],
            p=round(one.level.p, 4),
            verdict=_verdict(one, say),
            power_better=round(one.level.power[0], 3),
            power_worse=round(one.level.power[1], 3),
            signs=[
                SignOut(
                    kind=kind,
                    told=say.gettext(SIGNS[kind]),
                    n=sign.n,
                    count=sign.count,
                    p=round(sign.p, 4),
                    alarm=sign.alarm,
                )
                for kind, sign in one.signs.items()
            ],
        )
        for one in found.people
    ]
    return PeopleTest(
        wanted=found.wanted,
        better=round(found.better, 3),
        worse=round(found.worse, 3),
        tested=found.tested,
        people=people,
    )


def _verdict(one: PersonCheck, say: Language) -> str:
    if one.level.verdict == "unknown" and one.level.more:
        return say.gettext("cannot tell yet: %(n)s more") % {"n": one.level.more}
    return say.gettext(one.verdict)


def _repeated(connection: Connection) -> list[SelfAgreement]:
    """Everyone who was asked again what they had answered, by name."""
    same: dict[str, list[bool]] = {}
    for repeat in repeated_answers(connection):
        same.setdefault(repeat.actor, []).append(repeat.same)
    return [
        SelfAgreement(
            id=one.id,
            name=one.name,
            asked=len(same[one.actor]),
            same=sum(same[one.actor]),
            interval=_interval(sum(same[one.actor]), len(same[one.actor])),
        )
        for one in list_experts(connection)
        if one.actor in same
    ]


def run_statistics(room: Room, connection: Connection) -> list[RunStats]:
    """Return every run with where its items are and what it cost; calls, tokens and cost as of a minute ago, or up to
    ten in a large store."""
    runs = all_runs(connection)
    count, read = partial(count_calls, connection), partial(spent, connection)
    used = {run.id: room.spent.get(run.id, partial(read, run.id), partial(count, run.id)) for run in runs}
    return _run_figures(connection, runs, used)


def look_at_runs(room: Room, connection: Connection) -> tuple[Reading[list[RunStats]], set[str]]:
    """Return the figures of `run_statistics` at once, as of when calls, tokens and cost are, and the ids of runs of
    which these, which are 0 here, are still being counted: that happens in a large store."""
    if not are_many(connection):
        return Reading(run_statistics(room, connection)), set()
    runs = all_runs(connection)
    used = {
        run.id: room.spent.look(
            run.id,
            partial(room.read, partial(spent, run_id=run.id)),
            partial(room.read, partial(count_calls, run_id=run.id)),
        )
        for run in runs
    }
    known = {run_id: one for run_id, one in used.items() if one is not None}
    figures = _run_figures(connection, runs, {run_id: one.value for run_id, one in known.items()})
    oldest = min((one.at for one in known.values() if one.at is not None), default=None)
    return Reading(figures, oldest), used.keys() - known.keys()


def _run_figures(
    connection: Connection, runs: Sequence[RunRow], spent_of: Mapping[str, Spent]
) -> list[RunStats]:
    figures = []
    states = count_states_by_run(connection)
    for run in runs:
        of, used = Counter(states.get(run.id, {})), spent_of.get(run.id, Spent())
        figures.append(
            RunStats(
                id=run.id,
                recipe=run.recipe,
                status=run.status,
                items=of.total(),
                accepted=of["accepted"],
                rejected=of["rejected"],
                waiting=of["waiting"],
                failed=of["failed"] + of["parked"],
                queued=of["queued"] + of["running"],
                forgotten=of["forgotten"],
                decisions_to_apply=pending_deliveries(connection, run.id),
                calls=used.calls,
                tokens=used.input_tokens + used.output_tokens,
                cost=used.cost if not used.unpriced else None,
                seconds=round(run.active_seconds, 3),
                created_at=run.created_at,
                learned=newest_told(connection, run.scope),
            )
        )
    return figures


def _stats(expert: ExpertRow, work: Work, met: tuple[int, int], right: list[bool]) -> ReviewerStats:
    return ReviewerStats(
        id=expert.id,
        name=expert.name,
        role=expert.role,
        decided=work.decided,
        vote=work.vote,
        second=work.second,
        skipped=work.skipped,
        declined=work.declined,
        escalated=work.escalated,
        median_seconds=work.median_seconds,
        compared=met[1],
        agreed=met[0],
        agreement=_interval(*met),
        known=len(right),
        known_right=sum(right),
        known_interval=_interval(sum(right), len(right)),
        stage=expert.stage,
        revoked=expert.revoked_at is not None,
    )


def _interval(agreed: int, compared: int) -> list[float] | None:
    """Exact 95% interval of the rate of agreement (Clopper and Pearson 1934); None without any pair."""
    if not compared:
        return None
    return [round(bound, 3) for bound in clopper_pearson(agreed, compared)]
