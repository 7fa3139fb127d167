"""From decisions to the next consensus version, its certificate, and what it moves. Must never import lawmaking, nor
what stands above it.

Every decision fits weights and calibration, and those on a random sample (the pilot, or what a budget drew) certify:
each by fits that had no part in it, at looks that were planned. Audits alone say how good accepted items are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from solon.consensus.admission import refuse
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import judge_item
from solon.consensus.settled import judge_stopped
from solon.consensus.traits import UNKNOWN
from solon.consensus.worth import RELIABILITY
from solon.graphs.routing import presumption
from solon.learning.admission import Drawn, drawn_at_random
from solon.learning.adopting import adopt
from solon.learning.carrying import settle
from solon.learning.certificates import Crossfit, cuts_of
from solon.learning.classifier import hear_classifier
from solon.learning.crowd import learn_of_crowd
from solon.learning.evidence import Evidence, gather, is_drawn_at_random, know_judged, rate_reviewers
from solon.learning.looks import FittedVersion, Looking
from solon.learning.rounds import (
    answered_round,
    is_under_way,
    judge_held_again,
    measure_accuracy,
)
from solon.learning.strata import strata_in, tell_strata
from solon.learning.withdrawn import recheck
from solon.store.database import clock
from solon.store.lawmaking.precedents import mark_retrievable
from solon.store.learning import carries
from solon.store.learning import evidence as learning
from solon.store.learning.adoption import TakenOut
from solon.store.learning.evidence import DecidedItem
from solon.store.reviewing.review_rows import VOTES
from solon.store.runs import certificates
from solon.store.runs.runs import find_run

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import ReviewersConfig, RoutingConfig
    from solon.consensus.reviewers import Reviewer
    from solon.consensus.stop import Stopping
    from solon.learning.classifier import Heard
    from solon.learning.rounds import Accuracy
    from solon.learning.sample import Sample
    from solon.questions import Question
    from solon.recipes.recipe import Recipe
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.runs.run_row import RunRow

OLD_ENOUGH = 10
"""The newest decisions are not learned from yet, so that taking one back costs nothing."""
UNTRAINED = "; it has no classifier: the decisions that teach name one outcome, or are of one group of seeds"
BLOCK = 20
"""Decisions that must pay before further ones are asked for, where no round says how many."""
SESSION_SECONDS = 1800.0
"""After so long without a decision the session has ended, and nothing is held back."""


@dataclass(frozen=True, slots=True)
class LearningResult:
    """What a round of learning did.

    Attributes:
        version: number of the new consensus version; None where nothing was learned.
        fitted_on: decisions that weights and calibration were fitted on.
        certified_on: answered decisions of the sample that certificates are tried on.
        certificate: the look that was taken, as plain values, with its `status`, granted or refused; None where none
            was.
        queued_adopted: queued items that follow the new version.
        settled: waiting items that are queued again, since the panel is now sure enough.
        doubted: accepted items that are queued again, since the panel no longer is: their records leave the set.
        turned: those of them for which the panel now chooses otherwise.
        confirmed: accepted items whose record the new version confirms.
        stopping: whether further decisions pay, see `consensus.stop.Stopping`; None where nothing was
            learned.
        why: what was done, or why nothing was, in words.
        tiers: how many tiers of judges the panel has.
        refused_judges: voters that have no weight in the new version, since they are no better than chance.
        told: what decisions on items drawn at random show of the voters: who is lenient, strict or one-sided, and whose
            scores rank; empty where nothing shows.
        by_votes: waiting items that the votes of people decide, now that more is known of who gave them.
        awaits: what the next look at the sample waits for; empty where one was taken, or a certificate is in force.
    """

    version: int | None
    fitted_on: int
    certified_on: int
    certificate: dict[str, Any] | None
    queued_adopted: int = 0
    settled: int = 0
    doubted: int = 0
    turned: int = 0
    confirmed: int = 0
    stopping: dict[str, Any] | None = None
    why: str = ""
    tiers: int = 1
    refused_judges: tuple[str, ...] = ()
    told: str = ""
    by_votes: int = 0
    awaits: str = ""

    @property
    def strata(self) -> list[str]:
        """What the look shows of each stratum by itself, a sentence each; none where none was asked for."""
        if self.certificate is None or "strata" not in self.certificate:
            return []
        return tell_strata(self.certificate, strata_in(self.certificate), in_force=self.granted)

    @property
    def granted(self) -> bool:
        """Whether a certificate was granted."""
        return self.certificate is not None and self.certificate["status"] == "granted"

    @property
    def refused(self) -> str:
        """Why a certificate was refused; empty where none was tried for, or where it was granted."""
        tried = self.certificate
        return str(tried["why"]) if tried is not None and tried["status"] == "refused" else ""

    @property
    def taken_out(self) -> TakenOut | None:
        """The records that this took out of the set, and why; None where there are none."""
        unsure = self.doubted - self.turned
        return TakenOut(unsure, self.turned, without_record=self.doubted) if self.doubted else None

    @property
    def moved_items(self) -> int:
        """How many items are queued again because of this."""
        return self.settled + self.doubted + self.by_votes

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {**asdict(self), "granted": self.granted, "refused": self.refused, "strata": self.strata}

    def __repr__(self) -> str:
        told = "certificate granted" if self.granted else "no certificate"
        told += f", refused: {self.refused}" if self.refused else ""
        return f"LearningResult(version={self.version}, {told}; {self.why})"


def learn(
    store: Store,
    run: RunRow,
    recipe: Recipe,
    config: Config,
    *,
    reviewers: ReviewersConfig | None = None,
    everything: bool = False,
) -> LearningResult:
    """Learn the next consensus version of the run's scope, try to certify it, and adopt it.

    Args:
        reviewers: who is proven; default: as the run was configured.
        everything: the session has ended, so that the newest decisions count too.
    """
    people = reviewers or config.reviewers
    withdrawn = recheck(store, run)
    carried = settle(store, run, recipe, config, people) if recipe.has_panel else None
    rated = rate_reviewers(store, people)
    crowd = learn_of_crowd(store, recipe.question.asked(config), people)
    if recipe.has_panel:
        done = _learn_panel(store, run, recipe, config, people, rated, everything=everything)
    else:
        done = LearningResult(None, 0, 0, None, why="people answer all of it: there is no panel to learn of")
    news = str(carried) if carried is not None and (carried.now or carried.state == carries.ASKED) else ""
    if told := "; ".join(filter(None, (withdrawn, news))):
        done = replace(done, why=f"{told}; {done.why}")
    return done if crowd is None else replace(done, why=f"{done.why}; {crowd}", by_votes=crowd.settled)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A new version of the panel, before anything of it is written.

    Attributes:
        studied: what it was made of, before judges that are no better than chance were left out.
        usable: how many decisions could be learned from.
        model: the version.
        version: the same with the fits that left out a fold each, as a look tests it.
        stopping: whether further decisions pay.
        accuracy: how often it is right, where a budget is spent in rounds.
        looking: where the run's looks stand.
        draw: draws the sample of the next look.
        sample: as it was drawn.
        shown: what it shows; None where no look is due.
    """

    studied: _Studied
    usable: int
    model: ConsensusModel
    version: FittedVersion
    stopping: Stopping
    accuracy: Accuracy | None
    looking: Looking
    draw: Callable[[Connection, Looking], Sample]
    sample: Sample
    shown: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A version that was written, and the looks that were taken at it.

    Attributes:
        id: of the version.
        number: of the version.
        certificate: the last look; None where none was taken.
        before: the certificate that was in force until now.
        answered: decisions of the sample that the last look, or the next one, is about.
        awaits: what the next look waits for.
    """

    id: str
    number: int
    certificate: dict[str, Any] | None
    before: certificates.CertificateRow | None
    answered: int
    awaits: str

    @property
    def granted(self) -> dict[str, Any] | None:
        """The certificate, where the last look granted one."""
        one = self.certificate
        return one if one is not None and one["status"] == "granted" else None


def _learn_panel(
    store: Store,
    run: RunRow,
    recipe: Recipe,
    config: Config,
    people: ReviewersConfig,
    rated: Mapping[str, Reviewer],
    *,
    everything: bool,
) -> LearningResult:
    """Arguments as of `learn`; `rated`: everyone's measured reliability."""
    fitted = _fit_version(store, run, recipe, config, people, rated, everything=everything)
    if isinstance(fitted, LearningResult):
        return fitted
    kept = _keep_version(store, run, config, fitted, rated)
    version = fitted.version
    done = LearningResult(
        kept.number,
        len(version.evidence.usable),
        kept.answered,
        kept.certificate,
        stopping=asdict(fitted.stopping),
        tiers=max(config.tiers) + 1,
        refused_judges=tuple(sorted(fitted.studied.refused)),
        told=fitted.studied.told,
        awaits=kept.awaits,
    )
    heard = fitted.studied.heard
    untrained = UNTRAINED if heard is not None and heard.trained is None else ""
    if kept.before is not None and not kept.granted:
        in_force = f"certificate {kept.before.id} is in force and speaks for its own version"
        return replace(done, why=f"version {kept.number} waits: {in_force}{untrained}")
    why = f"version {kept.number} is in force{untrained}{_unknown_segment(version.evidence)}"
    return replace(done, why=why, **_adopt_version(store, run, config, fitted, kept))


def _fit_version(
    store: Store,
    run: RunRow,
    recipe: Recipe,
    config: Config,
    people: ReviewersConfig,
    rated: Mapping[str, Reviewer],
    *,
    everything: bool,
) -> _Fitted | LearningResult:
    """Fit a version, and test it where a look is due; or say why there is nothing to learn. Fits and tests are made
    while nobody who answers waits for them. Arguments as of `_learn_panel`."""
    question = recipe.question.asked(config)
    with store.connect() as connection:
        decided, usable = _decisions(connection, store.key, run, config, everything)
        known = certificates.newest_consensus(connection, run.scope)
        usable, new = _add_known(connection, known, decided, usable)
        # Rules can be weighed before anybody has decided: by where they are silent.
        first = not decided and known is None and bool(config.rules) and not max(config.tiers)
        if not first and (not usable or not new):
            return LearningResult(None, len(usable), 0, None, why=_nothing_new(decided, usable))
        studied = _study(connection, run, config, question, usable, rated, people)
        if first and not studied.evidence.judged:
            return LearningResult(None, 0, 0, None, why=_nothing_new(decided, usable))
    fit = partial(studied.fit, config, question)
    model = fit()
    fresh = {d.item_id for d in decided} - {d.item_id for d in usable}

    def draw(connection: Connection, looking: Looking) -> Sample:
        return studied.hear(connection, looking.draw(connection, studied.evidence, fresh=fresh))

    with store.connect() as connection:
        looking = Looking.at(connection, run, config.routing)
        sample = draw(connection, looking)
        due = looking.is_due(sample) and not is_under_way(connection, run, config.routing)
    fits = Crossfit.of(model, store.key, fit if due else None)
    with store.connect() as connection:
        evidence = know_judged(connection, studied.evidence.without(studied.refused), (model, *fits.folds))
    stopping, accuracy = _take_stock(question, evidence, model, config.routing)
    version = FittedVersion(
        config, fits, evidence, question, presumption(recipe.pairing_under(config), question)
    )
    shown = looking.test(version, sample) if due else None
    return _Fitted(studied, len(usable), model, version, stopping, accuracy, looking, draw, sample, shown)


def _keep_version(
    store: Store, run: RunRow, config: Config, fitted: _Fitted, rated: Mapping[str, Reviewer]
) -> _Kept:
    """Write a version down, and take the look that is due with those after it whose questions are all answered."""
    looking, sample, shown = fitted.looking, fitted.sample, fitted.shown
    certificate = None
    with store.transaction() as connection:
        mark_retrievable(connection, [name for name, known in rated.items() if known.proven])
        version_id, number = certificates.add_consensus(
            connection, run.scope, fitted.model.to_json(), _figures_of(fitted)
        )
        before = certificates.certificate_of(connection, run)
        if looking != Looking.at(connection, run, config.routing):
            shown = None  # another process looked meanwhile
        while shown is not None:
            certificate = looking.keep(connection, shown, sample, fitted.version, version_id)
            if certificate["status"] == "granted" or certificate["passed_over"]:
                break
            looking = Looking.at(connection, run, config.routing)
            sample = fitted.draw(connection, looking)
            shown = looking.test(fitted.version, sample) if looking.is_due(sample) else None
    awaits = looking.tell_next(sample) if certificate is None and before is None else ""
    return _Kept(version_id, number, certificate, before, sample.answered, awaits)


def _figures_of(fitted: _Fitted) -> dict[str, Any]:
    """What is written beside a version."""
    accuracy = fitted.accuracy
    return {
        "decisions": [d.decision_id for d in fitted.version.evidence.usable],
        "usable": fitted.usable,
        "stopping": asdict(fitted.stopping),
        "told": "; ".join(filter(None, (str(accuracy or ""), fitted.studied.told))),
        **({"accuracy": asdict(accuracy)} if accuracy else {}),
    }


def _adopt_version(store: Store, run: RunRow, config: Config, fitted: _Fitted, kept: _Kept) -> dict[str, Any]:
    """Have the run's items follow a version; returns how many items it moves, by what becomes of them."""
    with store.connect() as connection:
        probes = carries.asked_items(connection, run.id)  # which stay where they are until they are answered
    version, granted = fitted.version, kept.granted
    moved = adopt(
        store,
        run,
        config,
        version.question,
        fitted.model,
        [one for one in version.evidence.judged if one.item_id not in probes],
        kept.id,
        granted["id"] if granted else None,
        cuts_of(granted) if granted else None,
        version.presumed,
    )
    return dict(zip(("queued_adopted", "settled", "doubted", "turned", "confirmed"), moved, strict=True))


def _decisions(
    connection: Connection, key: str, run: RunRow, config: Config, everything: bool
) -> tuple[list[DecidedItem], list[DecidedItem]]:
    """What people decided of the runs of the same scope, and what of it may be learned from by now."""
    scope_runs = learning.runs_of_scope(connection, run)
    decided = [
        one
        for one in learning.counted_decisions(connection, key, scope_runs, voted=True)
        if one.kind == "interrupt" and one.outcome is not None
    ]
    return decided, _old_enough(decided, everything)


def _add_known(
    connection: Connection, version: str | None, decided: list[DecidedItem], usable: list[DecidedItem]
) -> tuple[list[DecidedItem], bool]:
    """The usable decisions with those that the newest version was made from, which are old enough for that; and whether
    there are others, or some of those were taken back."""
    if version is None:
        return usable, True
    known = certificates.decisions_of(connection, version)
    if known is None:
        return usable, len(usable) > certificates.learned_from(connection, version)
    named = {d.decision_id for d in usable} | known
    usable = [d for d in decided if d.decision_id in named]
    return usable, {d.decision_id for d in usable} != known


def _take_stock(
    question: Question, evidence: Evidence, model: ConsensusModel, routing: RoutingConfig
) -> tuple[Stopping, Accuracy | None]:
    """Whether further decisions pay; and in rounds how often the version is right on what was drawn at random."""
    if not routing.in_rounds:
        return _judge_stopping(question, evidence, model, BLOCK), None
    block = max(1, routing.review_budget // routing.rounds)
    stopping = _judge_stopping(question, evidence, model, block, in_rounds=True)
    accuracy = measure_accuracy(evidence, partial(_fit_early, question, evidence))
    return replace(stopping, why=f"{accuracy}; {stopping.why}"), accuracy


def close_round(
    store: Store, run: RunRow, recipe: Recipe, config: Config, *, reviewers: ReviewersConfig | None = None
) -> int | None:
    """Learn where all of a round is answered, and have what is held back judged anew; then the next may be chosen.

    It can be repeated: a process that was killed half-way is gone on with where it was.

    Returns:
        How many reviews the budget had opened when that was learned; None where there is no such round.
    """
    opened = answered_round(store, run, config.routing)
    if opened is not None:
        learn(store, run, recipe, config, reviewers=reviewers, everything=True)
        judge_held_again(store, run)
    return opened


@dataclass(frozen=True, slots=True)
class _Studied:
    """What a version is made of.

    Attributes:
        evidence: decisions and votes, with those of the new classifier.
        heard: the classifier; None where none is configured.
        drawn: what decisions on items that were drawn at random show of the voters.
    """

    evidence: Evidence
    heard: Heard | None
    drawn: Drawn

    @property
    def refused(self) -> frozenset[str]:
        """Voters that are no better than chance."""
        return self.drawn.refused

    @property
    def told(self) -> str:
        """What decisions show of the voters, in words."""
        return self.drawn.tell()

    def fit(
        self, config: Config, question: Question, keeps: Callable[[str], bool] = lambda group: True
    ) -> ConsensusModel:
        """The version's model, or what it would be from the decisions on groups that are kept."""
        fit_on = [d for d in self.evidence.usable if keeps(d.group)]
        refused = self.drawn.among({d.item_id for d in fit_on}).refused
        model = refuse(_fit(question, self.evidence.without(refused), fit_on, config.tiers), refused)
        return model if self.heard is None else replace(model, classifier=self.heard.payload)

    def hear(self, connection: Connection, sample: Sample) -> Sample:
        """The sample with the votes that the version goes by."""
        if self.heard is None:
            return sample
        return replace(sample, evidence=self.heard.vote_in(connection, sample.evidence, sample.decisions))


def _study(
    connection: Connection,
    run: RunRow,
    config: Config,
    question: Question,
    usable: list[DecidedItem],
    rated: Mapping[str, Reviewer],
    reviewers: ReviewersConfig,
) -> _Studied:
    """Arguments as of `gather`."""
    scope_runs = learning.runs_of_scope(connection, run)
    evidence = gather(connection, run, scope_runs, usable, rated, reviewers, question, config.consensus)
    heard = hear_classifier(connection, config, question, evidence) if config.classifier.enabled else None
    evidence = heard.vote_in(connection, evidence) if heard is not None else evidence
    return _Studied(evidence, heard, drawn_at_random(connection, evidence.usable, evidence.votes, question))


def _nothing_new(decided: Sequence[DecidedItem], usable: Sequence[DecidedItem]) -> str:
    if not decided:
        return "nothing new: no decision counts yet"
    if not usable:
        missing = f"none is old enough: the newest {OLD_ENOUGH} may still be taken back"
    else:
        missing = f"the newest version learned from all {len(usable)} already"
    return (
        f"nothing new: {missing}; counted decisions: {len(decided)}, of which {len(decided) - len(usable)} are too "
        "fresh"
    )


def _unknown_segment(evidence: Evidence) -> str:
    field = evidence.beside.segment
    if not field or any(known.segment for known in evidence.traits.values()):
        return ""
    return f"; no seed states {field!r}, which [consensus] segment names"


def usable_decisions(store: Store, run_id: str) -> tuple[int, int]:
    """How many decisions `learn` would use by now, and how many audits `watch_audits` would. Cheap enough to
    ask every few seconds.

    Audits count at once, since an alarm must not wait.
    """
    with store.connect() as connection:
        scope_runs = learning.runs_of_scope(connection, find_run(connection, run_id))
        count, newest = learning.count_learnable(connection, scope_runs)
        audits, _ = learning.count_learnable(connection, [run_id], kind="audit")
    ended = clock.now() - newest > SESSION_SECONDS
    return (count if ended else max(0, count - OLD_ENOUGH)), audits


def _old_enough(decided: list[DecidedItem], everything: bool) -> list[DecidedItem]:
    ended = not decided or clock.now() - decided[-1].decided_at > SESSION_SECONDS
    return decided if everything or ended else decided[:-OLD_ENOUGH]


def _fit(
    question: Question,
    evidence: Evidence,
    fit_on: Sequence[DecidedItem],
    tiers: Sequence[int] = (0,),
    **options: Any,
) -> ConsensusModel:
    """Whoever was sent to a person because of their verdicts teaches weights, but never calibrates them.

    `tiers`: of the seats; of a cascade every tier learns apart.
    """
    from solon.consensus.learn import fit, fit_cascade

    decisions = evidence.as_decisions(fit_on)
    options |= {"outcomes": question.outcomes, "against": evidence.against}
    options |= {"unlabelled": False} if evidence.is_partial else {}
    options |= {"traits": evidence.traits, "rubric": evidence.rubric}
    if max(tiers):
        drawn = {d.item_id for d in fit_on if is_drawn_at_random(d)}
        model = fit_cascade(evidence.votes, decisions, tiers, drawn, **options)
    else:
        always = {d.item_id for d in fit_on if d.rule == "always" and not d.suggested}
        drawn = always | {d.item_id for d in fit_on if is_drawn_at_random(d)}
        model = fit(evidence.votes, decisions, calibrate_on=drawn, **options)
    return replace(model, reviewers=evidence.reliability, segment=evidence.beside.segment)


def _fit_early(question: Question, evidence: Evidence, fit_on: Sequence[DecidedItem]) -> ConsensusModel:
    """The version as it would be by fewer decisions, uncalibrated."""
    return _fit(question, evidence, fit_on, unlabelled=False, calibration="none")


def _judge_stopping(
    question: Question, evidence: Evidence, model: ConsensusModel, block: int, *, in_rounds: bool = False
) -> Stopping:
    """Whether further decisions pay: what the next ones correct, and the end of the learning curve.

    The curve is drawn by fitting the first decisions again and testing on the half that fits nothing. In rounds there
    is no such half: there what the next ones correct decides.
    """
    import numpy as np

    from solon.consensus.stop import LEAST, judge_stopping

    fit_on = evidence.seen
    test = [d for d in evidence.usable if d.held_out and d.actor != VOTES and not d.suggested]
    curve: list[tuple[int, float]] = []
    sizes = sorted({round(len(fit_on) * part / 8) for part in (1, 2, 3, 4, 6, 8)} - {0})
    for size in sizes if len(test) >= OLD_ENOUGH else ():
        early = _fit_early(question, evidence, fit_on[:size])
        hits = [
            judge_item(early, evidence.votes[d.item_id], traits=evidence.traits.get(d.item_id, UNKNOWN)).best
            == d.outcome
            for d in test
        ]
        curve.append((size, sum(hits) / len(hits)))
    people = list(model.reviewers.values())
    decided = {d.item_id for d in evidence.usable} if in_rounds else set()
    confidence = [
        judge_stopped(model, j.votes, j.not_asked, against=j.against, traits=j.traits).confidence
        for j in evidence.judged
        if j.item_id not in decided
    ]
    return judge_stopping(
        np.array(confidence),
        sum(people) / len(people) if people else RELIABILITY,
        curve=curve,
        block=block,
        chosen=len(evidence.usable) if in_rounds else None,
        short=""
        if in_rounds
        else f"this takes {LEAST} decisions to follow what they teach and {OLD_ENOUGH} others to test that on; the "
        f"{len(evidence.usable)} learned from so far give {len(fit_on)} and {len(test)} of these",
    )
