"""A lead's first page: how far the work is, how good, who waits for what, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from solon.eval.report.promise import RunPromise, find_promised, read_promise
from solon.eval.report.promise_picture import render_promise
from solon.review.desk import too_few_people
from solon.review.state import Room
from solon.store.database import clock
from solon.store.records.lead_work import LeadWork, count_lead_work
from solon.store.reviewing.adjudicating import NO_FILTERS, next_case
from solon.store.reviewing.experts import ExpertRow, list_experts
from solon.store.reviewing.queue import count_left, reviews_in_hand
from solon.store.runs.certificates import changes
from solon.store.runs.items import count_states_by_run
from solon.store.runs.runs import all_runs

if TYPE_CHECKING:
    from solon.store.database.engine import Connection
    from solon.store.runs.run_row import RunRow

DAY = 24 * 3600.0
SHOWN_RUNS = 5


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far one run is, in items.

    Attributes:
        id: id of the run.
        recipe: its recipe.
        done: accepted or rejected.
        waiting: waiting for people.
        failed: without a result, parked ones among them.
        left: not begun, or under way.
    """

    id: str
    recipe: str
    done: int
    waiting: int
    failed: int
    left: int

    @property
    def total(self) -> int:
        """All of its items but those that were erased."""
        return self.done + self.waiting + self.failed + self.left

    @property
    def parts(self) -> list[tuple[str, str, int]]:
        """Class, name and number of each part of the bar."""
        names = ("done", "waiting for people", "failed", "not done yet")
        counts = (self.done, self.waiting, self.failed, self.left)
        kinds = ("done", "waits", "failed", "left")
        return [part for part in zip(kinds, names, counts, strict=True) if part[2]]


@dataclass(frozen=True, slots=True)
class PersonLoad:
    """How much waits for one person.

    Attributes:
        name: the person.
        role: worker, expert, lead or admin.
        stage: guidelines, practice, calibration or proven.
        left: reviews that they would be given now; counting ends at 1,000.
        in_hand: reviews that they have open.
        since: since when the oldest of these, in epoch seconds; None without any.
    """

    name: str
    role: str
    stage: str
    left: int
    in_hand: int
    since: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """Something that should be done now.

    Attributes:
        words: what, as a sentence.
        link: the page on which it is done.
        why: what it is about or what it takes; empty where the sentence says it all.
    """

    words: str
    link: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class FirstPage:
    """What the first page shows.

    Attributes:
        runs: how far the newest runs are.
        more_runs: further ones that are not among them.
        promise: what is promised of the newest run that a panel judged; None where no panel has judged any.
        picture: the same as a figure; None without it.
        read_at: when promise and people's work were read, in epoch seconds.
        people: everyone's work, by name.
        few: waiting reviews that too few people can answer, by field and language.
        waits: what waits for the lead who looks.
        first_case: the disagreement that this lead may settle next; None without any.
        queue: counts of the queue, see `Live.counts`.
        works: this server brings decisions to their items.
    """

    runs: list[RunProgress]
    more_runs: int
    promise: RunPromise | None
    picture: Markup | None
    read_at: float
    people: list[PersonLoad]
    few: list[dict[str, Any]]
    waits: LeadWork
    first_case: str | None
    queue: Mapping[str, Any]
    works: bool

    @property
    def steps(self) -> list[Step]:
        """What to do next, the most urgent first."""
        return [
            *_repairs(self.queue, works=self.works),
            *_suspended(self.promise),
            *_for_the_lead(self.waits, self.first_case),
            *_for_people(self.queue, self.people, self.few),
            *_towards_a_promise(self.promise, asked=bool(self.queue["free"])),
            *_after_all(self.runs, self.queue),
        ]


def _repairs(queue: Mapping[str, Any], *, works: bool) -> list[Step]:
    """Answers that reach no item."""
    n = queue["to_apply"]
    if not n or (works and not queue["worker"]):
        return []
    why = queue["worker"] or "this server was started with --no-work; `solon worker` brings them there"
    words = _count(n, "decision has not reached its item.", "decisions have not reached their items.")
    return [Step(words, "/lead/runs", why)]


def _suspended(promise: RunPromise | None) -> list[Step]:
    if promise is None or promise.state != "suspended":
        return []
    return [
        Step("The promise is suspended.", "#good", f"{promise.why}. It is brought back by {promise.returns}")
    ]


def _for_the_lead(waits: LeadWork, first_case: str | None) -> list[Step]:
    steps = []
    if first_case is not None:
        words = f"Settle {_count(waits.cases, 'question', 'questions')} that reviewers answered differently."
        steps.append(Step(words, f"/lead/adjudications/{first_case}"))
    if waits.escalated:
        words = f"Answer {_count(waits.escalated, 'review', 'reviews')} handed to leads."
        steps.append(Step(words, "/", "You are given them before others."))
    if waits.drafts:
        words = f"Vote on {_count(waits.drafts, 'draft', 'drafts')} of new rules."
        steps.append(Step(words, "/lead/amendments", "A draft is measured before it is voted on."))
    if waits.proposals:
        words = f"Look at {_count(waits.proposals, 'principle', 'principles')} that reviewers proposed."
        steps.append(Step(words, "/lead/proposals"))
    return steps


def _for_people(
    queue: Mapping[str, Any], people: Sequence[PersonLoad], few: Sequence[Mapping[str, Any]]
) -> list[Step]:
    steps = []
    if lacking := sum(one["reviews"] for one in few if not one["people"]):
        words = f"Find someone for {_count(lacking, 'review', 'reviews')} that nobody here can answer."
        steps.append(Step(words, "/lead/queue", "`solon expert add` adds a person, or a field to one."))
    for one in people:
        if one.since is not None and one.since < clock.now() - DAY:
            words = f"Ask {one.name} about {_count(one.in_hand, 'review', 'reviews')} in hand for more than a day."
            steps.append(Step(words, "/lead/queue", "They go back to the queue when that page is closed."))
    if queue["free"]:
        words = f"Have reviewers answer {_count(queue['free'], 'review', 'reviews')}."
        steps.append(Step(words, "#who", "`solon review notify` writes to those for whom something waits."))
    return steps


def _towards_a_promise(promise: RunPromise | None, *, asked: bool) -> list[Step]:
    """What brings a promise into force, where that is not just that what waits is answered."""
    if promise is None or promise.state not in ("refused", "not tested", "none") or not promise.returns:
        return []
    if asked and promise.drawn > promise.answered:
        return []
    return [Step("Nothing is promised of these records yet.", "#good", f"What it takes: {promise.returns}")]


def _after_all(runs: Sequence[RunProgress], queue: Mapping[str, Any]) -> list[Step]:
    steps = []
    if failed := sum(run.failed for run in runs):
        words = f"{_count(failed, 'item has', 'items have')} no result."
        steps.append(Step(words, "/lead/runs", "`solon status` says why, and `solon resume` tries again."))
    if runs and not queue["free"] and any(run.done for run in runs):
        steps.append(Step("Take the records out.", "/lead/exports"))
    return steps


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


@dataclass(frozen=True, slots=True)
class SlowFigures:
    """What takes longer to read, as it was when somebody last looked.

    Attributes:
        read_at: when it was read, in epoch seconds.
        promise: what is promised of the newest run that a panel judged; None without one.
        picture: the same as a figure.
        left: what is left for each person, by actor.
    """

    read_at: float
    promise: RunPromise | None
    picture: Markup | None
    left: dict[str, int]


def read_first_page(room: Room, expert: ExpertRow) -> FirstPage:
    """Return what the first page shows a lead."""
    with room.store.connect() as connection:
        runs = all_runs(connection)
        people = list_experts(connection, revoked=False)
        slow = _slow(room, connection, runs, people)
        return FirstPage(
            runs=_progress(connection, runs),
            more_runs=max(len(runs) - SHOWN_RUNS, 0),
            promise=slow.promise,
            picture=slow.picture,
            read_at=slow.read_at,
            people=_loads(connection, people, slow.left),
            few=too_few_people(room, connection),
            waits=count_lead_work(connection, expert.actor),
            first_case=next_case(connection, expert.actor, NO_FILTERS),
            queue=room.live.counts(),
            works=room.worker is not None,
        )


def _progress(connection: Connection, runs: Sequence[RunRow]) -> list[RunProgress]:
    counts = count_states_by_run(connection)
    progress = []
    for run in runs[:SHOWN_RUNS]:
        of = counts.get(run.id, {})
        done, failed, left = (
            sum(of.get(state, 0) for state in states)
            for states in (("accepted", "rejected"), ("failed", "parked"), ("queued", "running"))
        )
        progress.append(RunProgress(run.id, run.recipe, done, of.get("waiting", 0), failed, left))
    return progress


def _loads(connection: Connection, people: Sequence[ExpertRow], left: Mapping[str, int]) -> list[PersonLoad]:
    held = reviews_in_hand(connection)
    return [
        PersonLoad(one.name, one.role, one.stage, left.get(one.actor, 0), *held.get(one.actor, (0, None)))
        for one in people
    ]


def _slow(
    room: Room, connection: Connection, runs: Sequence[RunRow], people: Sequence[ExpertRow]
) -> SlowFigures:
    """The slow figures; those that are kept, unless a run, a certificate or a person came or went since."""

    def read() -> SlowFigures:
        run = find_promised(connection)
        promise = read_promise(connection, run) if run is not None else None
        picture = render_promise(promise, folded=True) if promise is not None else None
        about: dict[str, Any] = {"match": room.options.match, "reviewers": room.reviewers}
        left = {one.actor: count_left(connection, one, **about) for one in people}
        return SlowFigures(clock.now(), promise, picture, left)

    key = ([run.id for run in runs], changes(connection), [one.actor for one in people])
    figures: SlowFigures = room.slow_figures.get(key, read)
    return figures
