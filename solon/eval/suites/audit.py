"""How good accepted records are, by blind audits of a random few: agreement against the promise, and unsafe
records.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.consensus.audit import AuditReport, rate_with_bound, watch
from solon.consensus.control_variate import LEAST as LEAST_AUDITS
from solon.consensus.control_variate import SharpRate, sharpen_rate
from solon.consensus.target import read_target
from solon.eval.replay.opinions import counted
from solon.eval.result import LEAST, Figure, SuiteResult, nothing, rate
from solon.eval.suites.agreement import Asked, measure_gaps
from solon.store.records import counts, evaluation
from solon.store.runs import certificates, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solon.eval.material import Material
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.records.evaluation import Answer, Choice
    from solon.store.runs.run_row import RunRow

DECIDED = "decided"
"""Route of a record that a person gave, which is not audited."""
NOT_AUDITED = "no such record was audited"
PAYS = 0.05
"""Less than so large a share of audits is not worth speaking of."""


class RunAudit(BaseModel):
    """What blind audits say of one run.

    Attributes:
        name: id of the run.
        recipe: of the run.
        promise: agreement that the certificate in force promises, or that the configuration aims at.
        promised: True where it is a certificate's.
        agreement: share of audited records that stand; its interval holds for one look.
        asked: how many audits were asked for and answered, and what that share would be at worst.
        sharpened: the same with the panel's confidence as control variate, of records in force; as it is where that
            gains nothing.
        saved: share of the audits that this saves.
        always: interval of it that holds at all looks together (a confidence sequence).
        state: `green`, `alarm` or `cannot tell`.
        why: the state in words, with what this many audits could have detected.
        detects: the highest agreement at which the alarm would have gone off by now; None where there is
            none.
        certified: agreement among audited records that were accepted under a certificate.
        provisional: agreement among audited records that were not.
        by_route: agreement by the route that settled the record.
        unsafe: accepted records that an auditor flagged unsafe, with the exact upper bound of their share.
        waiting: audits that nobody has answered.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    recipe: str
    promise: float
    promised: bool
    agreement: Figure
    asked: Asked
    sharpened: Figure
    saved: float
    always: tuple[float, float]
    state: str
    why: str
    detects: float | None
    certified: Figure
    provisional: Figure
    by_route: dict[str, Figure]
    unsafe: Figure
    waiting: int


class Audit(SuiteResult):
    """What blind audits say of every run. Runs are never pooled: each has its own panel, law and share of
    audits.
    """

    runs: tuple[RunAudit, ...]

    def headline(self) -> dict[str, Figure]:
        """Of the newest run that was audited."""
        run = next((run for run in reversed(self.runs) if run.agreement.n), None) or (
            self.runs[-1] if self.runs else None
        )
        if run is None:
            return {}
        of = f" (run {run.name[:10]})" if len(self.runs) > 1 else ""
        return {
            f"accepted records that an expert agrees with{of}": run.agreement,
            f"those accepted under a certificate{of}": run.certified,
            f"flagged unsafe{of}": run.unsafe,
        }

    def next_step(self) -> str:
        """Answer what waits, or look at an alarm."""
        alarmed = next((run.name for run in self.runs if run.state == "alarm"), None)
        if alarmed:
            return f"read why before anything is exported: `solon learn --status {alarmed}`"
        if waiting := sum(run.waiting for run in self.runs):
            return f"{waiting} audits wait for an expert: `solon review serve`"
        if not self.n:
            return "audits are drawn among accepted records: raise [routing] audit_share, run again, and answer them"
        return "" if self.n < LEAST else "see what is promised: `solon learn --status`"


def evaluate(material: Material) -> Audit:
    """Return what the audits of each run say, compared with the record that they were drawn for.

    A run that no panel judged is left out where nothing was drawn from it: whoever gave those answers decided them.
    """
    with material.store.connect() as connection:
        runs = [audit_run(connection, run, settled=material.settled) for run in material.runs]
        judged = {run.id for run in material.runs if evaluation.is_judged(connection, run.id)}
    audits = [run for run in runs if run.name in judged or run.agreement.n or run.waiting]
    total = sum(run.agreement.n for run in audits)
    notes = () if total else ("no audit was answered by an expert: nothing is known of the accepted records",)
    saving = _tell_saving(audits)
    return Audit(suite="audit", n=total, runs=tuple(audits), notes=(*notes, saving) if saving else notes)


def audit_run(connection: Connection, run: RunRow, *, settled: bool = False) -> RunAudit:
    """Return what the audits of one run say; where `settled`, of items alone about which nobody has still to answer."""
    audited = audited_records(connection, run, settled=settled)
    asked = evaluation.asked_questions(connection, [run.id], "audit")
    routing = runs.config_payload(connection, run.config_id)["routing"]
    certificate = certificates.certificate_of(connection, run)
    promise = 1 - (certificate.alpha if certificate else float(routing["alpha"]))
    report: AuditReport = watch([one.agrees for one in audited], promise, delta=float(routing["delta"]))
    sharp = _sharpen(connection, run, audited, settled)
    return RunAudit(
        name=run.id,
        recipe=run.recipe,
        promise=promise,
        promised=certificate is not None,
        agreement=_share(audited),
        asked=measure_gaps(
            len(asked | {(one.item_id, one.attempt) for one in audited}),
            len(audited),
            sum(one.agrees for one in audited),
        ),
        sharpened=Figure(
            value=sharp.value,
            low=sharp.low,
            high=sharp.high,
            n=sharp.n,
            why="" if sharp.n else "no record in force was audited",
        ),
        saved=sharp.saved,
        always=report.always,
        state=report.state,
        why=report.why,
        detects=report.detects,
        certified=_share([one for one in audited if not one.provisional]),
        provisional=_share([one for one in audited if one.provisional]),
        by_route={
            route: _share([one for one in audited if one.route == route])
            for route in sorted({one.route for one in audited})
        },
        unsafe=_unsafe(audited),
        waiting=counts.count_reviews(connection, [run.id]).get("audit waiting", 0),
    )


def _sharpen(connection: Connection, run: RunRow, audited: Sequence[Audited], settled: bool) -> SharpRate:
    """Agreement on records in force, of which audits are a random part, with their confidence as control variate."""
    checked, sure, everywhere = {one.item_id for one in audited}, dict[str, float](), array("d")
    in_force = evaluation.accepted(connection, [run.id], settled=settled)
    for item_id, rows in groupby(in_force, key=lambda row: row.item_id):
        said = None
        for row in rows:
            if row.route != DECIDED and row.confidence is not None:
                said = row.confidence
        if said is not None:
            everywhere.append(said)
            if item_id in checked:
                sure[item_id] = said
    known = [one for one in audited if one.item_id in sure]
    predicted = [sure[one.item_id] for one in known]
    return sharpen_rate([one.agrees for one in known], predicted, everywhere)


def tell_saving(store: Store) -> str:
    """Return in a sentence whether the panel's confidence makes audits sharper in a store; empty where too few were
    answered to say.
    """
    with store.connect() as connection:
        return _tell_saving([audit_run(connection, run) for run in runs.all_runs(connection)])


def _tell_saving(audits: Sequence[RunAudit]) -> str:
    """By the run with most audits."""
    known = max(audits, key=lambda run: run.sharpened.n, default=None)
    if known is None or known.sharpened.n < LEAST_AUDITS:
        return ""
    told = f"of {known.sharpened.n} audits of run {known.name[:10]} the panel's confidence saves {known.saved:.0%}"
    return f"{told}, {'which pays' if known.saved >= PAYS else 'which hardly pays'}"


@dataclass(frozen=True, slots=True)
class Audited:
    """An audit, and the record that it was drawn for.

    Attributes:
        item_id: the item.
        attempt: its attempt.
        at: when it was answered, in epoch seconds.
        agrees: the record's choice stands.
        unsafe: it was flagged unsafe.
        provisional: the record was accepted while no certificate was in force.
        route: how the record got there.
        tier: the last tier of the panel that was asked; None without a panel.
    """

    item_id: str
    attempt: int
    at: float
    agrees: bool
    unsafe: bool
    provisional: bool
    route: str
    tier: int | None


def audited_records(connection: Connection, run: RunRow, *, settled: bool = False) -> list[Audited]:
    """Return the audits of a run, the oldest first, each with the record that it was drawn for; where `settled`, of
    items alone about which nobody has still to answer.

    Where the promise's target takes several people, these are the audits that all of them have answered, and
    of their answers one that most gave; without such, one that differs from the record.
    """
    found: list[Audited] = []
    for part in evaluation.parts_of_runs(connection, [run.id]):
        about: dict[str, Any] = {"kind": "audit", "settled": settled, "part": part}
        found += _with_records(connection, run, counted(evaluation.answers(connection, [run.id], **about)))
    return sorted(found, key=lambda one: one.at)


def _with_records(connection: Connection, run: RunRow, blind: Sequence[Answer]) -> list[Audited]:
    target = read_target(runs.config_payload(connection, run.config_id)["routing"].get("target", "single"))
    answers_to: dict[tuple[str, int], list[Answer]] = {}
    for answer in blind:
        if answer.kind == "audit":
            answers_to.setdefault((answer.item_id, answer.attempt), []).append(answer)
    records = evaluation.records_of(connection, answers_to)
    audited = []
    for where, answers in answers_to.items():
        outcome = target.audit_outcome([one.outcome for one in answers if one.outcome is not None])
        if outcome is None or where not in records:
            continue
        record = records[where]
        most = [answer for answer in answers if answer.outcome == outcome]
        differ = [answer for answer in answers if not agrees(answer, record)]
        audited.append(_audited((most or differ)[0], record, answers[0].at))
    return audited


def _audited(answer: Answer, record: Choice, at: float) -> Audited:
    unsafe = "unsafe" in (answer.flags.get(record.chosen_id or "") or ())
    kept = record.provisional, record.route, record.tier
    return Audited(answer.item_id, answer.attempt, at, agrees(answer, record), unsafe, *kept)


def agrees(answer: Answer, record: Choice) -> bool:
    """Tell whether an auditor said that the record's choice stands, or gave the same label; a rejection or an
    edit of the same text does not.
    """
    stands = answer.question.said_by(record.chosen_id, record.label, answer.shown)
    return stands is not None and answer.outcome == stands


def _share(audited: Sequence[Audited]) -> Figure:
    return rate(sum(one.agrees for one in audited), len(audited), NOT_AUDITED)


def _unsafe(audited: Sequence[Audited]) -> Figure:
    n = len(audited)
    if not n:
        return nothing("no record was audited")
    share, at_most = rate_with_bound([one.unsafe for one in audited])
    return Figure(value=share, low=0.0, high=at_most, n=n)
