"""A lead's first page: how far the work is, how good, who waits for what, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from solon.eval.report.promise import RunPromise, find_promised, list_untested, read_promise
from solon.eval.report.promise_picture import render_promise
from solon.review.desk import too_few_people
from solon.review.kept import Kept
from solon.review.language import Language
from solon.review.state import Room
from solon.store.database import clock
from solon.store.records.lead_work import LeadWork, count_lead_work
from solon.store.reviewing.adjudicating import NO_FILTERS, next_case
from solon.store.reviewing.experts import ExpertRow, list_experts
from solon.store.reviewing.queue import count_left, reviews_in_hand
from solon.store.runs.certificates import changes
from solon.store.runs.items import are_many, count_states_by_run
from solon.store.runs.runs import all_runs

if TYPE_CHECKING:
    from solon.store.database.engine import Connection
    from solon.store.runs.run_row import RunRow

DAY = 24 * 3600.0
SHOWN_RUNS = 5
MOST_LEFT = 100
"""So many questions are counted as left for one person: enough to see who has work for the day."""


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
        left: questions that they have open or would be given now; counting ends at `MOST_LEFT`.
        in_hand: reviews that they have open.
        since: since when the oldest of these, in epoch seconds; None without any.
    """

    name: str
    role: str
    stage: str
    left: int
    in_hand: int
    since: float | None

    @property
    def left_told(self) -> str:
        """`left` as the page shows it."""
        return f"{MOST_LEFT}+" if self.left >= MOST_LEFT else str(self.left)


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
        untested: runs that drew questions at random and have tested nothing yet, the newest first, each with the number
            of those questions that have no answer.
        read_at: when promise and people's work were read, in epoch seconds.
        counting: they are being read just now, for the first time, and are left out: that happens in a large store.
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
    untested: Mapping[str, int]
    read_at: float
    counting: bool
    people: list[PersonLoad]
    few: list[dict[str, Any]]
    waits: LeadWork
    first_case: str | None
    queue: Mapping[str, Any]
    works: bool

    def steps(self, say: Language) -> list[Step]:
        """Return what to do next in a language, the most urgent first."""
        rests = self.counting or bool(self.waits.cases + self.waits.own_cases)
        return [
            *_repairs(say, self.queue, works=self.works),
            *_promised(say, self.promise),
            *_for_the_lead(say, self.waits, self.first_case),
            *_for_people(say, self.queue, self.people, self.few),
            *_towards_a_promise(say, self.promise, self.untested, asked=bool(self.queue["free"])),
            *_failed(say, self.runs),
            *_after_all(say, self.runs, self.queue, rests=rests),
        ]


def _repairs(say: Language, queue: Mapping[str, Any], *, works: bool) -> list[Step]:
    """Answers that reach no item."""
    n = queue["to_apply"]
    if not n or (works and not queue["worker"]):
        return []
    why = queue["worker"] or say.gettext(
        "this server was started with --no-work; `solon worker` brings them there"
    )
    told = say.ngettext(
        "%(n)s decision has not reached its item.", "%(n)s decisions have not reached their items.", n
    )
    words = _fill(told, n)
    return [Step(words, "/lead/runs", why)]


def _promised(say: Language, promise: RunPromise | None) -> list[Step]:
    """What is wrong with the promise."""
    if promise is not None and promise.falls_short:
        return [
            Step(say.gettext("Audits show less than is promised."), "#good", say.tell(promise.audits_say))
        ]
    if promise is None or promise.state != "suspended":
        return []
    why = say.gettext("%(why)s. It is brought back by %(returns)s")
    words = say.gettext("The promise is suspended.")
    values = {"why": say.tell(promise.why), "returns": say.tell(promise.returns)}
    return [Step(words, "#good", why % values)]


def _for_the_lead(say: Language, waits: LeadWork, first_case: str | None) -> list[Step]:
    steps = []
    if first_case is not None:
        told = say.ngettext(
            "Settle %(n)s question that reviewers answered differently.",
            "Settle %(n)s questions that reviewers answered differently.",
            waits.cases,
        )
        words = _fill(told, waits.cases)
        steps.append(Step(words, f"/lead/adjudications/{first_case}"))
    if waits.escalated:
        told = say.ngettext(
            "Answer %(n)s review handed to leads.",
            "Answer %(n)s reviews handed to leads.",
            waits.escalated,
        )
        words = _fill(told, waits.escalated)
        steps.append(Step(words, "/", say.gettext("You are given them before others.")))
    if waits.drafts:
        told = say.ngettext(
            "Vote on %(n)s draft of new rules.",
            "Vote on %(n)s drafts of new rules.",
            waits.drafts,
        )
        words = _fill(told, waits.drafts)
        steps.append(
            Step(words, "/lead/amendments", say.gettext("A draft is measured before it is voted on."))
        )
    if waits.proposals:
        told = say.ngettext(
            "Look at %(n)s principle that reviewers proposed.",
            "Look at %(n)s principles that reviewers proposed.",
            waits.proposals,
        )
        words = _fill(told, waits.proposals)
        steps.append(Step(words, "/lead/proposals"))
    return steps


def _for_people(
    say: Language,
    queue: Mapping[str, Any],
    people: Sequence[PersonLoad],
    few: Sequence[Mapping[str, Any]],
) -> list[Step]:
    steps = []
    if lacking := sum(one["reviews"] for one in few if not one["people"]):
        told = say.ngettext(
            "Find someone for %(n)s review that nobody here can answer.",
            "Find someone for %(n)s reviews that nobody here can answer.",
            lacking,
        )
        words = _fill(told, lacking)
        steps.append(
            Step(words, "/lead/queue", say.gettext("`solon expert add` adds a person, or a field to one."))
        )
    for one in people:
        if one.since is not None and one.since < clock.now() - DAY:
            told = say.ngettext(
                "Ask %(name)s about %(n)s review in hand for more than a day.",
                "Ask %(name)s about %(n)s reviews in hand for more than a day.",
                one.in_hand,
            )
            words = _fill(told, one.in_hand, name=one.name)
            steps.append(
                Step(words, "/lead/queue", say.gettext("They go back to the queue when that page is closed."))
            )
    if queue["free"]:
        waits = queue["free"] + queue["leased"]
        told = say.ngettext(
            "Have reviewers answer %(n)s review.",
            "Have reviewers answer %(n)s reviews.",
            waits,
        )
        why = say.gettext("`solon review notify` writes to those for whom something waits.")
        steps.append(Step(_fill(told, waits), "#who", why))
    elif queue["leased"]:
        told = say.ngettext(
            "Wait for %(n)s review that someone has in hand.",
            "Wait for %(n)s reviews that people have in hand.",
            queue["leased"],
        )
        steps.append(Step(_fill(told, queue["leased"]), "/lead/queue"))
    return steps


def _towards_a_promise(
    say: Language, promise: RunPromise | None, untested: Mapping[str, int], *, asked: bool
) -> list[Step]:
    """What brings a promise into force, where that is not just that what waits is answered."""
    if answered := next((run for run, missing in untested.items() if not missing), ""):
        words = say.gettext(
            "Find out what can be promised of run %(run)s: its random questions are answered."
        )
        return [
            Step(
                words % {"run": answered[-6:]}, f"/lead/runs?run={answered}", f"`solon learn {answered[:8]}`"
            )
        ]
    if promise is None or promise.state not in ("refused", "not tested", "none") or not promise.returns:
        return []
    if asked and (promise.drawn > promise.answered or (promise.state == "none" and untested)):
        return []
    words, why = (
        say.gettext("Nothing is promised of these records yet."),
        say.gettext("What it takes: %(returns)s"),
    )
    return [Step(words, "#good", why % {"returns": say.tell(promise.returns)})]


def _failed(say: Language, runs: Sequence[RunProgress]) -> list[Step]:
    failed = sum(run.failed for run in runs)
    if not failed:
        return []
    words = _fill(say.ngettext("%(n)s item has no result.", "%(n)s items have no result.", failed), failed)
    return [
        Step(words, "/lead/runs", say.gettext("`solon status` says why, and `solon resume` tries again."))
    ]


def _after_all(
    say: Language, runs: Sequence[RunProgress], queue: Mapping[str, Any], *, rests: bool
) -> list[Step]:
    """The step that comes once nothing else does. `rests`: something else may be left to do."""
    waits = queue["free"] or queue["leased"] or queue["escalated"] or rests
    if waits or not any(run.done for run in runs):
        return []
    return [Step(say.gettext("Take the records out."), "/lead/exports")]


def _fill(told: str, n: int, **more: str) -> str:
    return told % {"n": f"{n:,}", **more}


@dataclass(frozen=True, slots=True)
class SlowFigures:
    """What takes longer to read, as it was when somebody last looked.

    Attributes:
        read_at: when it was read, in epoch seconds.
        promise: what is promised of the newest run that a panel judged; None without one.
        picture: the same as a figure.
        untested: see `FirstPage`.
        people: what is left for each person, and what they have in hand.
        few: waiting reviews that too few people can answer, by field and language.
    """

    read_at: float
    promise: RunPromise | None
    picture: Markup | None
    untested: dict[str, int]
    people: list[PersonLoad]
    few: list[dict[str, Any]]


def read_first_page(room: Room, expert: ExpertRow) -> FirstPage:
    """Return what the first page shows a lead."""
    with room.store.connect() as connection:
        runs = all_runs(connection)
        people = list_experts(connection, revoked=False)
        found = _slow(room, connection, runs, people)
        slow = found or SlowFigures(clock.now(), None, None, {}, [], [])
        return FirstPage(
            runs=_progress(connection, runs),
            more_runs=max(len(runs) - SHOWN_RUNS, 0),
            promise=slow.promise,
            picture=slow.picture,
            untested=slow.untested,
            read_at=slow.read_at,
            counting=found is None,
            people=slow.people,
            few=slow.few,
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


def _loads(room: Room, connection: Connection, people: Sequence[ExpertRow]) -> list[PersonLoad]:
    about: dict[str, Any] = {"match": room.options.match, "reviewers": room.reviewers, "most": MOST_LEFT}
    held = reviews_in_hand(connection)
    loads = []
    for one in people:
        n, since = held.get(one.actor, (0, None))
        left = count_left(connection, one, **about)
        loads.append(PersonLoad(one.name, one.role, one.stage, left, n, since))
    return loads


def _slow(
    room: Room, connection: Connection, runs: Sequence[RunRow], people: Sequence[ExpertRow]
) -> SlowFigures | None:
    """The slow figures; those that are kept, unless a run, a certificate or a person came or went since. None while
    they are being read for the first time in a large store."""

    def read(connection: Connection) -> SlowFigures:
        run = find_promised(connection)
        promise = read_promise(connection, run) if run is not None else None
        picture = (
            render_promise(promise, folded=True, say=room.language.tell) if promise is not None else None
        )
        untested = list_untested(connection, runs)
        loads, few = _loads(room, connection, people), too_few_people(room, connection)
        return SlowFigures(clock.now(), promise, picture, untested, loads, few)

    key = (tuple(run.id for run in runs), changes(connection), tuple(one.actor for one in people))
    figures: Kept[SlowFigures] = room.slow_figures
    if not are_many(connection):
        return figures.get(key, partial(read, connection))
    kept = figures.look(key, partial(room.read, read))
    return kept.value if kept is not None else None
