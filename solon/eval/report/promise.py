"""What a run promises of its records, as a lead reads it: the promise, how far experts agree among themselves, what it
covers, what it rests on, when it is suspended and what brings it back.

One reading for the lead's page, the report and the command line, so that all say the same. Reads only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.config.pinned import config_as_stored
from solon.consensus.target import read_target
from solon.display.text import shorten
from solon.eval.replay.opinions import counted
from solon.eval.result import Figure, nothing, rate
from solon.eval.suites.agreement import measure_experts
from solon.eval.suites.audit import DECIDED, NOT_AUDITED
from solon.learning.audits import read_audits
from solon.learning.carrying import count_probes
from solon.learning.strata import strata_in, tell_strata
from solon.learning.why_suspended import read_suspension
from solon.store.learning.carries import ASKED, find_carry
from solon.store.records import evaluation
from solon.store.reviewing import drawn_questions
from solon.store.runs import certificates, items, pilot, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from solon.config.sections import ReviewersConfig
    from solon.consensus.audit import AuditReport
    from solon.learning.carrying import CarryOver
    from solon.store.database.engine import Connection
    from solon.store.runs.certificates import CertificateRow
    from solon.store.runs.run_row import RunRow

SUSPENDED_BY = (
    "another panel, model, prompt, constitution, rubric or kind of seeds; audits that show less agreement than is "
    "promised; answers that it rests on and that are taken back or ruled otherwise"
)
BROUGHT_BACK_BY = (
    "the questions whose answers were taken back, once they are answered again; after a change random probes of what "
    "it would accept then: `solon learn --carry`; in all other cases further random questions and the next planned "
    "look: `solon learn`"
)
PARTS = (
    "under the promise", "answered by people", "accepted without a promise", "rejected", "waiting for people",
    "no result", "not done yet", "erased",
)  # fmt: skip
"""Where the items of a run are, in the order in which they are drawn."""


class RunPromise(BaseModel):
    """What is promised of one run's records.

    Attributes:
        run: id of the run.
        state: `in force`, `suspended`, `refused`, `not tested`, or `none` where the run draws no sample to test.
        aim: the share of agreement that is promised, or aimed at where nothing is in force.
        confidence: probability with which the promise holds.
        target: whom it promises to agree with, in words.
        shown: agreement on the pilot's answers that the newest look counted: those as sure as what is covered, or all
            of them where it was refused.
        experts: how often two experts agree with each other: no panel can be expected to do better.
        audits: agreement on accepted records that were audited since the newest certificate, on all while there was
            none; its interval holds at all looks together.
        since: whether there was one.
        audits_say: what they say of the promise, in words; empty while none was answered.
        falls_short: it is in force, and these audits raise an alarm, or their 95% interval, looked at once, lies below
            what it promises.
        items: number of the run's items by part, see `PARTS`.
        covers: share of the pilot that is as sure as the promise asks; 0 where nothing is promised, and of probes: they
            are drawn among what nobody had decided, which is no share of all.
        drawn: questions that were drawn at random among the run's items so far.
        answered: those of them that have an answer that counts.
        asks_all: people are asked about every item of the run (`policy = "always"`): none rests on the panel alone.
        tested: questions on which the panel would accept a record, at the newest look: a promise is about these.
        probes: of a certificate that was to be carried over after a change: the random probes that were drawn for it, 0
            otherwise.
        probes_answered: those of them that have an answer that counts.
        strata: agreement by stratum that is promised something by itself, on the answers that this rests on; empty
            where none was asked for, and while nothing is in force.
        strata_told: what is promised of strata by themselves, a sentence each.
        why: why it is suspended, was refused or was not tested, in words; empty where it is in force.
        returns: what brings it into force, or back where it is suspended, in words with the command; empty where `why`
            says that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    state: str
    aim: float
    confidence: float
    target: str
    shown: Figure
    experts: Figure
    audits: Figure
    since: bool
    audits_say: str
    falls_short: bool
    items: dict[str, int]
    covers: float
    drawn: int
    answered: int
    asks_all: bool
    tested: int
    probes: int
    probes_answered: int
    strata: dict[str, Figure]
    strata_told: tuple[str, ...]
    why: str
    returns: str

    @property
    def total(self) -> int:
        """Items of the run."""
        return sum(self.items.values())

    @property
    def sentence(self) -> str:
        """The promise, or that there is none, in one sentence."""
        aim = f"at least {self.aim:.0%} agree with {self.target}"
        if self.state == "in force":
            return (
                f"Promised: of the records that the panel accepts, {aim}. The chance that this is wrong is at most "
                f"{1 - self.confidence:.0%}."
            )
        if self.state == "none" and self.asks_all:
            return "Nothing is promised, and nothing has to be: people are asked about every item."
        told = {
            "suspended": "Suspended: nothing is promised of these records now.",
            "refused": "Nothing is promised: the experts' answers did not show it.",
            "not tested": "Nothing is promised yet: it was not tested.",
            "none": "Nothing is promised: no questions were drawn at random.",
        }[self.state]
        return f"{told} The aim is that {aim}."

    @property
    def rests_on(self) -> str:
        """What it rests on: how many decisions, drawn how."""
        if self.probes and self.state != "refused":
            return (
                f"{self.probes} probes, drawn at random after a change among all items that an earlier certificate "
                f"would accept then, and asked blind: {_spell_answered(self.probes, self.probes_answered)}"
            )
        if not self.drawn and self.asks_all:
            return (
                "people's own answers: they are asked about every item, whatever the panel says; "
                "`solon eval agreement` says how far it agrees with them"
            )
        if not self.drawn:
            return "nothing: no questions were drawn at random"
        part = self.tested and self.tested < self.answered
        tested = (
            f"; on {self.tested} of them the panel would accept a record, and these are tested"
            if part
            else ""
        )
        return (
            f"{self.drawn} questions, drawn at random from all {self.total} items before anybody saw them, and asked "
            f"whatever the panel says: {_spell_answered(self.drawn, self.answered)}{tested}"
        )

    @property
    def coverage(self) -> str:
        """What it covers, in words."""
        parts = [f"{n} {name}" for name, n in self.items.items() if n]
        about = f"about {self.covers:.0%} of such items; " if self.covers else ""
        return f"{about}of this run's {self.total}: {', '.join(parts) or 'none'}"

    def lines(self, say: Callable[[str], str] = str) -> list[str]:
        """All of it as text, a line each: what the picture shows; `say` gives what is composed in English in the
        reader's language."""
        return [say(self.sentence), *(f"{say(name)}: {say(words)}" for name, words in self.facts())]

    def facts(self) -> list[tuple[str, str]]:
        """Name and words of each thing that a lead should know of the promise."""
        facts = [(name, spell(figure)) for name, figure in self.measured()]
        waits = self.state in ("in force", "suspended")
        facts += [("Audits say", self.audits_say)] if waits and self.audits_say else []
        facts += [
            ("Covers" if waits else "Items", self.coverage),
            ("Rests on", self.rests_on),
            *(("Of strata by themselves", told) for told in self.strata_told),
            ("Suspended by" if waits else "Would be suspended by", SUSPENDED_BY),
        ]
        if self.why:
            facts.append(("Why", self.why))
        if self.returns:
            facts.append(("Brought back by" if waits else "Comes into force by", self.returns))
        return facts

    def measured(self) -> list[tuple[str, Figure]]:
        """Name and figure of each agreement that was measured: the rows of the picture."""
        shown = "Experts agreed, on the probes" if self.probes else "Experts agreed, in the pilot"
        if self.state in ("in force", "suspended"):
            shown = "Experts agreed, on the answers it rests on"
        own = self.state == "none" and self.asks_all  # then no answers are tested
        return [
            *(() if own else ((shown, self.shown),)),
            *((f"By itself: {shorten(name, 32)}", figure) for name, figure in self.strata.items()),
            ("Experts agreed, in audits since" if self.since else "Experts agreed, in audits", self.audits),
            ("Two experts agree with each other", self.experts),
        ]


def _spell_answered(asked: int, answered: int) -> str:
    missing = asked - answered
    gaps = f", {missing} {'has' if missing == 1 else 'have'} none" if missing else ""
    return f"{answered} have an expert's answer{gaps}"


def spell(figure: Figure) -> str:
    """An agreement with its interval and n in words, or why it is not known."""
    if not figure.known or figure.value is None:
        return f"not known ({figure.why_unknown})"
    return f"{figure.value:.1%} ({figure.low:.1%} to {figure.high:.1%}, n = {figure.n})"


def read_promise(connection: Connection, run: RunRow) -> RunPromise:
    """Return what is promised of a run's records now."""
    wanted = certificates.wanted_by(connection, run)
    last = _newest(connection, run)
    in_force = certificates.certificate_of(connection, run)
    answers = counted(evaluation.answers(connection, [run.id], telling=True))
    drawn, answered = _sample(connection, run, {answer.item_id for answer in answers})
    state = _state(last, in_force, drawn)
    config = runs.config_payload(connection, run.config_id)
    asks_all = config["routing"].get("policy") == "always"
    why, returns = ("", "") if state == "none" and asks_all else _way_back(run, state, last, drawn - answered)
    earlier = read_suspension(connection, run)
    if earlier is not None:
        why, returns = earlier.why, earlier.back
        if last is None or earlier.certificate != last.id:  # of before a change
            why = f"certificate {earlier.certificate} is suspended: {why}"
    pinned = config_as_stored(config, run.id)
    audits, probes = read_audits(connection, run, pinned), _count_probes(connection, last, pinned.reviewers)
    by_stratum = strata_in(in_force.figures, connection) if in_force else ()
    promised = last if state in ("in force", "suspended") else None
    return RunPromise(
        run=run.id,
        state=state,
        aim=1 - (promised.alpha if promised else wanted.alpha),
        confidence=1 - (promised.delta if promised else wanted.delta),
        target=str(read_target(promised.target if promised else wanted.target)),
        shown=_shown(last, probes),
        experts=measure_experts(answers).experts_agree,
        audits=_audited(audits),
        since=audits.certificate is not None,
        audits_say=audits.why if audits.n else "",
        falls_short=in_force is not None
        and audits.n > 0
        and (audits.state == "alarm" or audits.interval[1] < 1 - in_force.alpha),
        items=_items(connection, run),
        covers=float(in_force.figures.get("coverage") or 0.0) if in_force and not probes else 0.0,
        drawn=drawn,
        answered=answered,
        asks_all=asks_all,
        tested=int(last.figures.get("tested") or 0) if last else 0,
        probes=probes.asked if probes else 0,
        probes_answered=probes.agreed + probes.disagreed if probes else 0,
        strata={one.name: rate(one.agreed, one.n) for one in by_stratum if one.threshold is not None},
        strata_told=tuple(tell_strata(in_force.figures, by_stratum)) if in_force else (),
        why=why,
        returns=returns,
    )


def _newest(connection: Connection, run: RunRow) -> CertificateRow | None:
    """The certificate of the run, even a suspended one, unless it was refused since; the newest refusal without one."""
    ours = [
        row
        for row in certificates.looks(connection, run.scope)
        if row.covers.get("source") == run.seeds_fingerprint
    ]
    granted = certificates.newest_granted(connection, run)
    last = ours[-1] if ours else None
    if granted is not None and (granted.suspended_at is None or last is None or last.id == granted.id):
        return granted
    return last


def _state(last: CertificateRow | None, in_force: CertificateRow | None, drawn: int) -> str:
    if in_force is not None:
        return "in force"
    if last is None:
        return "not tested" if drawn else "none"
    if last.suspended_at is not None:
        return "suspended"
    return "refused" if last.figures.get("tests") else "not tested"


def _sample(connection: Connection, run: RunRow, answered: set[str]) -> tuple[int, int]:
    """Questions that were drawn at random among all items so far, and those of them whose item has an answer that
    counts."""
    proper = {item for item, _ in pilot.pilot_in_order(connection, run.id)}
    questions = drawn_questions.drawn_items(connection, run.id)
    asked = [item for item, of_pilot in questions.items() if not of_pilot or item in proper]
    drawn = max(len(asked), len(proper))
    return drawn, sum(item in answered for item in asked)


def list_untested(connection: Connection, of: Sequence[RunRow]) -> dict[str, int]:
    """Return the runs that drew questions at random and have tested nothing yet, by id in the order given, each with
    the number of those questions that have no answer."""
    untested = {}
    for run in of:
        if _newest(connection, run) is None:
            answers = counted(evaluation.answers(connection, [run.id], telling=True))
            drawn, answered = _sample(connection, run, {answer.item_id for answer in answers})
            if drawn:
                untested[run.id] = drawn - answered
    return untested


def _shown(last: CertificateRow | None, probes: CarryOver | None) -> Figure:
    """Agreement on the answers that a certificate rests on, on all that were tested where it was refused; on probes as
    they were tested, those without an answer among them, but for those that wait."""
    if probes is not None:
        return rate(probes.agreed, probes.asked - (probes.open if probes.state == ASKED else 0))
    if last is None or not last.figures.get("tests"):
        return nothing("no answers were tested yet")
    figures = last.figures
    if last.status == "refused" and "agreed_in_all" in figures:
        return rate(float(figures["agreed_in_all"]), int(figures["tested"]))
    return rate(float(figures["agreed"]), int(figures["n"]), "no answers were tested yet")


def _audited(audits: AuditReport) -> Figure:
    if audits.rate is None:
        return nothing(NOT_AUDITED)
    return Figure(value=audits.rate, low=audits.always[0], high=audits.always[1], n=audits.n)


def _count_probes(
    connection: Connection, last: CertificateRow | None, reviewers: ReviewersConfig
) -> CarryOver | None:
    """How the probes of a certificate that was to be carried over are answered now; None of any other."""
    plan = find_carry(connection, str(last.covers["run"])) if last and "carry" in last.figures else None
    return count_probes(connection, plan, last.target, reviewers) if last and plan else None


def _way_back(run: RunRow, state: str, last: CertificateRow | None, missing: int) -> tuple[str, str]:
    """Why nothing is in force, and what brings it into force; of what is suspended `read_suspension` says it."""
    short = run.id[:8]
    if state == "in force":
        return "", BROUGHT_BACK_BY
    if state == "none":
        return (
            "the run has no pilot, which is what a promise is tested on",
            'a run with `policy = "pilot"` under `[routing]`; `solon plan` says what it takes',
        )
    questions = "open question" if missing == 1 else f"{missing} open questions"
    more = f"answers to the {questions}, then `solon learn {short}`" if missing else f"`solon learn {short}`"
    if last is None:
        return (
            f"{missing} of its questions have no answer yet" if missing else "its answers were not tested"
        ), more
    told = "agreed_in_all" in last.figures  # then the reason names the next look, or that there is none
    return last.reason, "" if told and not missing else more


def _items(connection: Connection, run: RunRow) -> dict[str, int]:
    """How many of the run's items are in each of `PARTS`."""
    states = items.count_states(connection, run.id)
    people, covered, rest = evaluation.count_accepted(connection, run.id, DECIDED)
    failed = states["failed"] + states["parked"]
    known = (covered, people, rest, states["rejected"], states["waiting"], failed)
    left = max(sum(states.values()) - sum(known) - states[items.FORGOTTEN], 0)
    return dict(zip(PARTS, (*known, left, states[items.FORGOTTEN]), strict=True))


def read_promises(connection: Connection, of: Sequence[RunRow]) -> tuple[RunPromise, ...]:
    """Return what is promised of each run that a panel judged; people's own answers need no promise."""
    return tuple(read_promise(connection, run) for run in of if evaluation.is_judged(connection, run.id))


def find_promised(connection: Connection, run_id: str = "") -> RunRow | None:
    """Return the run with this id or its beginning; without one the newest that a panel judged, None without any."""
    if run_id:
        return runs.find_run(connection, run_id)
    return next((run for run in runs.all_runs(connection) if evaluation.is_judged(connection, run.id)), None)
