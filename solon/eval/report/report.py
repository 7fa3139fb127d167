"""The report of a store: what was made, from what, how good, what experts decided, what it cost, what is not known.

Every figure is in `Report`, which is also report.json; `solon.eval.report.page` makes the HTML page from it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.display.notebook import card
from solon.display.text import moment
from solon.eval.replay.opinions import Said, read_said
from solon.eval.report import curves
from solon.eval.report.examples import Example, ExampleDraw, draw_examples
from solon.eval.report.headline import Headline, choose_agreement, count_open, find_next_step
from solon.eval.report.law_history import Amended, read_amendments, read_versions
from solon.eval.report.limits import find_limits
from solon.eval.report.promise import RunPromise, read_promises
from solon.eval.report.run_part import RunPart, read_run, tell_standing
from solon.eval.report.standing import Standing, read_standing
from solon.eval.result import Figure, rate
from solon.eval.rules import Rules, list_rules
from solon.eval.set_rubric import SetRubric, judge_set
from solon.eval.suites import agreement, audit, confusions, drift, generations, judges, quality, spans, tiers
from solon.formats.records import plain_model
from solon.store.database import audit_log, clock
from solon.store.database.ids import keyed_hash
from solon.store.learning import evidence as learning
from solon.store.records import counts, evaluation, release_sets
from solon.store.records.exporting import of_data_set
from solon.store.reviewing import deliveries
from solon.store.reviewing.review_rows import VOTES
from solon.store.runs import certificates
from solon.store.runs.run_row import RunRow

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.records.evaluation import Accepted


Rechecked = Mapping[str, tuple[bool, str]]
"""Of releases, by name: whether what they promise holds by the answers as they stand now, and what was seen."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Decisions(_Part):
    """What people answered, and what it changed.

    Attributes:
        answers: all that were not taken back.
        counted: those that count: blind, with an expert's token, the first of each person on the same
            candidates.
        second_opinions: answers to an overlap, and those that came after another's decision.
        undone: decisions that were taken back.
        choices: number of answers by choice.
        channels: number of answers by the channel that they came by.
        flags: number of flags by name.
        principles: how often each principle was cited; the 20 commonest.
        reviews: number of reviews by kind and state.
        overturned: share of blind answers that went against the panel.
        minutes: of work in the answers whose time is known.
        timed: answers whose time is known.
        median_seconds: of these; None where there are none.
    """

    answers: int
    counted: int
    second_opinions: int
    undone: int
    choices: dict[str, int]
    channels: dict[str, int]
    flags: dict[str, int]
    principles: dict[str, int]
    reviews: dict[str, int]
    overturned: Figure
    minutes: float
    timed: int
    median_seconds: float | None


class Costs(_Part):
    """Model calls and what they took.

    Attributes:
        calls: number of calls.
        input_tokens: of all calls.
        output_tokens: of all calls.
        money: in the currency of the configured prices; None where any price is unknown.
        failed: calls that failed.
        by_role: the same figures by role and model.
        tokens_per_record: of both kinds, by accepted record; None without records.
        money_per_record: None without records or where any price is unknown.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    money: float | None
    failed: int
    by_role: tuple[dict[str, Any], ...]
    tokens_per_record: float | None
    money_per_record: float | None


class Reviewer(_Part):
    """A person who answered.

    Attributes:
        name: a pseudonym: a keyed hash that only this store can make.
        answers: all of theirs that were not taken back.
        counted: those that count.
        role: as an expert, or that they are none.
        specialties: that they stated.
        languages: that they stated.
        credential: that they stated; may be empty.
        agreement_with_panel: of their blind answers.
    """

    name: str
    answers: int
    counted: int
    role: str
    specialties: tuple[str, ...]
    languages: tuple[str, ...]
    credential: str
    agreement_with_panel: Figure


class Auditors(_Part):
    """What those who check a data set ask for: provenance, people, deviations, deletions and the sealed log.

    Attributes:
        sources: number of items by what their seeds say of the source.
        licences: number of items by licence.
        consents: number of items by consent.
        languages: number of items by language.
        reviewers: everyone who answered, pseudonymous.
        deviations: from the plain course, one sentence each: answers that do not count, decisions taken back,
            repeated looks, refused or suspended certificates.
        erased_texts: texts of the store that were erased.
        log_entries: of the store's log.
        log_intact: whether the chain of its hashes holds.
        log_problem: what is wrong with it; empty where it is intact.
        log_head: hash of its last entry.
    """

    sources: dict[str, int]
    licences: dict[str, int]
    consents: dict[str, int]
    languages: dict[str, int]
    reviewers: tuple[Reviewer, ...]
    deviations: tuple[str, ...]
    erased_texts: int
    log_entries: int
    log_intact: bool
    log_problem: str
    log_head: str


class ReleasePromise(_Part):
    """What was promised of a released set, in the words that a lead may sign.

    Attributes:
        release: name of the release.
        made_at: when it was written.
        sentence: the promise.
        arithmetic: how it came about, a sentence each.
        does_not_say: what it does not say.
        signed: how many signatures the log holds.
        holds: whether it follows from the answers as they stand now; None where its folder was not at hand.
        now: what was recomputed, in words; empty where nothing was.
    """

    release: str
    made_at: str
    sentence: str
    arithmetic: tuple[str, ...]
    does_not_say: tuple[str, ...]
    signed: int
    holds: bool | None
    now: str

    @property
    def standing(self) -> str:
        """Who signed, and whether it still holds, in sentences."""
        leads = "1 lead" if self.signed == 1 else f"{self.signed} leads"
        signed = f"Signed by {leads}." if self.signed else "Nobody has signed it."
        if self.holds is None:
            return f"{signed} As it was written: `solon release verify {self.release}` says whether it still holds."
        return f"{signed} {'It still holds' if self.holds else 'It no longer holds'}: {self.now}."


class Report(_Part):
    """Everything that the page shows.

    Attributes:
        title: of the page.
        made_at: when.
        solon: version of Solon that made it.
        with_texts: whether it holds texts of examples.
        headline: three figures and the next step.
        records: accepted records in force; over all runs each item counts once.
        standing_back: records in force of other runs over the same rows, which are not among them.
        certified: those that were accepted under a certificate.
        provisional: those that were accepted while no certificate was in force.
        stale: those whose law was amended since and that were not judged again.
        runs: the runs, in their order.
        audit: what blind audits say of the accepted records.
        agreement: of panel and experts, and of experts with each other.
        judges: each judge against the experts.
        rules: what each rule covers, and how often experts agree with it.
        generations: tasks by generation; none where no recipe draws from a pool.
        spans: how far marked spans agree; its n is 0 where none were asked about.
        tiers: who gave the records, what that cost, and how often experts agree.
        confusions: what judges, and people whose answers are votes, confuse with what.
        quality: the accepted answers as texts.
        set_rubric: originality, diversity, quality control and documentation of the records.
        curves: calibration, risk and learning.
        decisions: what people answered.
        law: every version of the laws that the items were pinned to, as plain values.
        amendments: of these laws.
        costs: what the calls took.
        auditors: provenance, people, deviations and the log.
        examples: records at three levels of confidence.
        promised: what is promised of each run that a panel judged.
        promises: what was promised of released sets with records of these runs.
        limits: what a reader might believe and should not, one sentence each.
    """

    title: str
    made_at: str
    solon: str
    with_texts: bool
    headline: Headline
    records: int
    standing_back: int
    certified: int
    provisional: int
    stale: int
    runs: tuple[RunPart, ...]
    audit: audit.Audit
    agreement: agreement.Agreement
    judges: judges.Judges
    rules: Rules
    generations: generations.Generations
    spans: spans.Spans
    tiers: tiers.Tiers
    confusions: confusions.Confusions
    quality: quality.Quality
    set_rubric: SetRubric
    curves: curves.Curves
    decisions: Decisions
    law: tuple[dict[str, Any], ...]
    amendments: tuple[Amended, ...]
    costs: Costs
    auditors: Auditors
    examples: tuple[Example, ...]
    promised: tuple[RunPromise, ...]
    promises: tuple[ReleasePromise, ...]
    limits: tuple[str, ...]

    def __repr__(self) -> str:
        head = self.headline
        return (
            f"Report({self.title!r}, {head.records} records of {head.items} items, {head.waiting} questions wait; "
            f"next: {head.next_step})"
        )

    def _repr_html_(self) -> str:
        head = self.headline
        agreed = head.agreement
        facts = {
            "records": f"{head.records} of {head.items} items",
            head.agreement_of: f"{agreed.value:.1%} ({agreed.low:.1%} to {agreed.high:.1%}, n = {agreed.n})"
            if agreed.known
            else f"unknown ({agreed.why_unknown})",
            "questions that wait for people": head.waiting,
            "next": head.next_step,
            "not known": " ".join(self.limits),
        }
        return card(self.title, facts)


def build_report(
    material: Material, *, title: str = "", with_texts: bool = False, rechecked: Rechecked | None = None
) -> Report:
    """Measure everything that a report shows, and return it.

    It reads the store only, but for the audit watch of `read_standing`, whose alarm suspends a certificate.

    Args:
        title: of the page; empty: a plain one.
        with_texts: put example texts in; without it the report holds ids and figures.
    """
    from solon import __version__

    store = material.store
    standings = {run.id: read_standing(store, run) for run in material.runs}
    with store.connect() as connection:
        heard, drifted, agreed_on = Heard(), drift.Found(), agreement.Found(connection, material.run_ids)
        curved = curves.Found(connection, store.key, material.runs)
        for said in read_said(connection, material.run_ids, settled=material.settled):
            heard.add(said)
            drifted.add(said)
            agreed_on.add(connection, material, said)
            curved.add(connection, said)
        among = of_data_set() if material.whole else None
        drawn, accepted = _survey(evaluation.accepted(connection, material.run_ids, among=among))
        rows = counts.count_rows(connection, material.run_ids)
        unapplied = sum(deliveries.runs_with_deliveries(connection).get(name, 0) for name in material.run_ids)
        learnable = any(_can_learn(connection, run) for run in material.runs)
        parts = tuple(read_run(connection, run, standings[run.id]) for run in material.runs)
        standing_back = sum(part.records for part in parts) - accepted["record"]
        decisions = heard.tell(connection, material.run_ids)
        costs = _costs(counts.count_calls(connection, material.run_ids), accepted["record"])
        law = read_versions(connection, material.run_ids)
        amendments = read_amendments(connection, law, lambda actor: pseudonym(store, actor))
        auditors = _auditors(connection, material, heard, standings)
        promised = read_promises(connection, material.runs)
        promises = _promises(connection, material, rechecked or {})
        agreed = _pseudonymous(store, agreed_on.tell(connection, material))
        drifting = drifted.tell(connection, material).alarms
    audited = audit.evaluate(material)
    judged = judges.evaluate(material)
    read = quality.evaluate(material)
    evolved = generations.evaluate(material)
    headline = _headline(
        material, parts, audited, agreed, decisions, accepted["record"], rows, unapplied, learnable
    )
    return Report(
        title=title or "What was made, and how far it can be trusted",
        made_at=moment(clock.now()),
        solon=__version__,
        with_texts=with_texts,
        headline=headline,
        records=accepted["record"],
        standing_back=standing_back,
        certified=accepted["certified"],
        provisional=accepted["provisional"],
        stale=accepted["stale"],
        runs=parts,
        audit=audited,
        agreement=agreed,
        judges=judged,
        rules=list_rules(material, lambda actor: pseudonym(store, actor)),
        generations=evolved,
        spans=spans.evaluate(material),
        tiers=tiers.evaluate(material),
        confusions=_without_names(store, confusions.evaluate(material, by_name=False)),
        quality=read,
        set_rubric=judge_set(material, agreed=agreed, read=read),
        curves=curved.tell(),
        decisions=decisions,
        law=law,
        amendments=amendments,
        costs=costs,
        auditors=auditors,
        examples=draw_examples(material, drawn, with_texts),
        promised=promised,
        promises=promises,
        limits=find_limits(
            audited,
            agreed,
            judged,
            decisions.counted,
            {part.id: part.provisional for part in parts},
            costs.money,
            with_texts,
            collapsing=evolved.warnings,
            drifting=drifting,
            stale=accepted["stale"],
            standing_back=standing_back,
            taken_out={part.id: part.taken_out for part in parts},
        ),
    )


def _survey(accepted: Iterable[Accepted]) -> tuple[ExampleDraw, Counter[str]]:
    """The draw of examples among records in force, and their numbers, see `tell_standing`."""
    drawn, tally = ExampleDraw(), Counter[str]()
    for row in accepted:
        drawn.add(row)
        tally.update(tell_standing(row))
    return drawn, tally


def _promises(connection: Connection, material: Material, rechecked: Rechecked) -> tuple[ReleasePromise, ...]:
    """The promises of written releases that hold a record of these runs, the oldest first."""
    written = [
        (one.name, moment(one.closed_at or one.created_at), one.result)
        for one in release_sets.each_set(connection)
        if one.state == release_sets.WRITTEN
        and one.result
        and learning.any_of_runs(connection, (record.item_id for record in one.records), material.run_ids)
    ]
    signed = release_sets.count_signatures(connection)
    return tuple(
        ReleasePromise(
            release=name,
            made_at=made_at,
            sentence=result["sentence"],
            arithmetic=tuple(result["arithmetic"]),
            does_not_say=tuple(result["does_not_say"]),
            signed=signed.get(name, 0),
            holds=rechecked[name][0] if name in rechecked else None,
            now=rechecked[name][1] if name in rechecked else "",
        )
        for name, made_at, result in written
    )


def _headline(
    material: Material,
    parts: tuple[RunPart, ...],
    audited: audit.Audit,
    agreed: agreement.Agreement,
    decisions: Decisions,
    records: int,
    rows: int,
    unapplied: int,
    learnable: bool,
) -> Headline:
    labels = all(part.people_alone for part in parts)
    agreement_of, figure, gaps = choose_agreement(audited, agreed, labels=labels)
    waiting = count_open(decisions.reviews)
    next_step = find_next_step(
        parts,
        audited,
        waiting=waiting,
        counted=decisions.counted,
        unapplied=unapplied,
        learnable=learnable,
    )
    return Headline(
        records=records,
        items=rows,
        agreement=figure,
        agreement_of=agreement_of,
        agreement_gaps=gaps,
        waiting=waiting,
        next_step=next_step,
    )


def _can_learn(connection: Connection, run: RunRow) -> bool:
    """Whether decisions count by now that the newest consensus version of the run's scope did not know."""
    count, _ = learning.count_learnable(connection, learning.runs_of_scope(connection, run))
    newest = certificates.newest_consensus(connection, run.scope)
    return count > (certificates.learned_from(connection, newest) if newest else 0)


class Heard:
    """What people answered so far, in counts, and 8 bytes for each answer whose time is known."""

    def __init__(self) -> None:
        self.choices, self.channels, self.flags, self.principles = (Counter[str]() for _ in range(4))
        self.answers, self.counted, self.judged, self.agreed = (Counter[str]() for _ in range(4))
        self.second = 0
        self.seconds = array("d")

    def add(self, said: Said) -> None:
        """Count what people answered about some of the items: by choice, channel, flag and principle; and by person all
        answers, those that count, those that the panel judged, too, and those that agree with it."""
        for answer in said.answers:
            self.choices[answer.choice] += 1
            self.channels[answer.channel] += 1
            self.flags.update(flag for flagged in answer.flags.values() for flag in flagged or ())
            self.principles.update(answer.principles)
            self.second += answer.second or answer.kind == "overlap"
            if answer.active_seconds:
                self.seconds.append(answer.active_seconds)
        self.answers.update(answer.actor for answer in said.answers)
        self.counted.update(answer.actor for answer in said.blind)
        self.judged.update(opinion.answer.actor for opinion in said.opinions)
        self.agreed.update(opinion.answer.actor for opinion in said.opinions if opinion.agrees)

    def tell(self, connection: Connection, run_ids: Sequence[str]) -> Decisions:
        """Return what people answered, and what it changed."""
        judged = self.judged.total()
        return Decisions(
            answers=self.answers.total(),
            counted=self.counted.total(),
            second_opinions=self.second,
            undone=counts.count_undone(connection, run_ids),
            choices=dict(self.choices.most_common()),
            channels=dict(self.channels.most_common()),
            flags=dict(self.flags.most_common()),
            principles=dict(self.principles.most_common(20)),
            reviews=counts.count_reviews(connection, run_ids),
            overturned=rate(judged - self.agreed.total(), judged, "no blind answer yet"),
            minutes=round(sum(self.seconds) / 60, 1),
            timed=len(self.seconds),
            median_seconds=median(self.seconds) if self.seconds else None,
        )


def _costs(rows: list[dict[str, Any]], records: int) -> Costs:
    tokens_in, tokens_out = (sum(int(row[k]) for row in rows) for k in ("input_tokens", "output_tokens"))
    known = all(not row["unpriced"] for row in rows)
    money = sum(float(row["cost"]) for row in rows) if known else None
    return Costs(
        calls=sum(row["calls"] for row in rows),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        money=money,
        failed=sum(int(row["failed"]) for row in rows),
        by_role=tuple(
            {
                **row,
                "model": plain_model(row["model"]),
                "cost": None if row["unpriced"] else float(row["cost"]),
            }
            for row in rows
        ),
        tokens_per_record=(tokens_in + tokens_out) / records if records else None,
        money_per_record=money / records if records and money is not None else None,
    )


def _auditors(
    connection: Connection,
    material: Material,
    heard: Heard,
    standings: dict[str, Standing],
) -> Auditors:
    log = audit_log.verify(material.store)
    by = {name: counts.count_by(connection, material.run_ids, f"seed.{name}") for name in _PROVENANCE}
    return Auditors(
        sources=by["source"],
        licences=by["licence"],
        consents=by["consent"],
        languages=by["lang"],
        reviewers=_reviewers(connection, material.store, heard),
        deviations=_deviations(heard, standings, counts.count_undone(connection, material.run_ids)),
        erased_texts=counts.count_erased(connection),
        log_entries=log.entries,
        log_intact=log.intact,
        log_problem=log.problem,
        log_head=log.head,
    )


_PROVENANCE = ("source", "licence", "consent", "lang")


def _reviewers(connection: Connection, store: Store, heard: Heard) -> tuple[Reviewer, ...]:
    known = counts.qualifications(connection)
    reviewers = []
    for actor, answers in sorted(heard.answers.items()):
        facts = known.get(actor, {})
        agreed, judged = heard.agreed[actor], heard.judged[actor]
        reviewers.append(
            Reviewer(
                name=pseudonym(store, actor),
                answers=answers,
                counted=heard.counted[actor],
                role=facts.get("role", "no expert: a local user"),
                specialties=tuple(facts.get("specialties", ())),
                languages=tuple(facts.get("languages", ())),
                credential=facts.get("credential", ""),
                agreement_with_panel=rate(agreed, judged, "no blind answer"),
            )
        )
    return tuple(sorted(reviewers, key=lambda one: (-one.answers, one.name)))


def _deviations(heard: Heard, standings: dict[str, Standing], undone: int) -> tuple[str, ...]:
    sentences = []
    loose = sum(n - heard.counted[actor] for actor, n in heard.answers.items() if actor != VOTES)
    if loose:
        sentences.append(
            f"{loose} answers enter no reliability, certificate or audit: no expert's token, or not blind"
        )
    if undone:
        sentences.append(
            f"{undone} decisions were taken back; what was learned from them was learned again without"
        )
    for run_id, standing in standings.items():
        refused = sum(look.status == "refused" for look in standing.looks)
        suspended = sum(look.status == "suspended" for look in standing.looks)
        if len(standing.looks) > 1:
            sentences.append(
                f"run {run_id}: the certification sample was looked at {len(standing.looks)} times, each with "
                "its own share of delta"
            )
        if refused:
            sentences.append(f"run {run_id}: certificates refused for lack of agreement or data: {refused}")
        if suspended:
            sentences.append(f"run {run_id}: {suspended} certificates were suspended")
    return tuple(sentences)


def pseudonym(store: Store, actor: str) -> str:
    """Return a name for a person that this store alone can make, and nobody can undo."""
    return f"reviewer {keyed_hash(store.key, 'actor', actor)[:8]}"


def _without_names(store: Store, found: confusions.Confusions) -> confusions.Confusions:
    voters = tuple(
        one.model_copy(update={"name": pseudonym(store, one.name)}) if one.kind == "person" else one
        for one in found.voters
    )
    return found.model_copy(update={"voters": voters})


def _pseudonymous(store: Store, found: agreement.Agreement) -> agreement.Agreement:
    names = {actor: pseudonym(store, actor) for actor in found.by_reviewer}
    pairs = []
    for pair in found.experts:
        first, second = pair.name.split(" / ", 1)
        both = f"{pseudonym(store, first)} / {pseudonym(store, second)}"
        pairs.append(pair.model_copy(update={"name": both}))
    by_reviewer = {names[actor]: figure for actor, figure in found.by_reviewer.items()}
    return found.model_copy(update={"by_reviewer": by_reviewer, "experts": tuple(pairs)})
