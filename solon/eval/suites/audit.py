"""How good accepted records are, by blind random audits: exact interval, promise against actual, unsafe ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.consensus.audit import AuditReport, rate_with_bound, watch
from solon.eval.opinions import counted
from solon.eval.result import Figure, SuiteResult, nothing, rate
from solon.store import certificates, counts, evaluation, runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from solon.eval.material import Material
    from solon.store.evaluation import Answer, Chosen
    from solon.store.runs import RunRow


class RunAudit(BaseModel):
    """One run. `agreement` holds for one look; `always` at all looks together (a confidence sequence).

    Attributes:
        promise: of the certificate in force, or what the configuration aims at (`promised` False).
        state: green | alarm | cannot tell; `why` says what this many audits could have detected.
        certified, provisional: agreement among audited records that were accepted under a certificate, and not.
        unsafe: accepted records that an auditor flagged unsafe, with the exact upper bound of their share.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    recipe: str
    promise: float
    promised: bool
    agreement: Figure
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
    """Runs are never pooled: each has its own panel, law and share of audits."""

    runs: tuple[RunAudit, ...]


def evaluate(material: Material) -> Audit:
    """Audits of each run, compared with the record that they were drawn for."""
    found = []
    with material.store.connect() as connection:
        for run in material.runs:
            found.append(_audit_run(connection, run))
    total = sum(run.agreement.n for run in found)
    notes = () if total else ("no audit was answered by an expert: nothing is known of the accepted records",)
    return Audit(suite="audit", n=total, runs=tuple(found), notes=notes)


def _audit_run(connection: Connection, run: RunRow) -> RunAudit:
    given = [a for a in counted(evaluation.answers(connection, [run.id])) if a.kind == "audit"]
    first: dict[str, Answer] = {}
    for answer in given:
        first.setdefault(answer.review_id, answer)
    records = evaluation.records_of(connection, [(a.item_id, a.attempt) for a in first.values()])
    audited = [
        (answer, records[answer.item_id, answer.attempt])
        for answer in first.values()
        if (answer.item_id, answer.attempt) in records
    ]
    routing = runs.config_payload(connection, run.config_id)["routing"]
    certificate = certificates.certificate_in_force(connection, run.scope, run.seeds_fingerprint)
    promise = 1 - (certificate.alpha if certificate else float(routing["alpha"]))
    report: AuditReport = watch(
        [agrees(answer, record) for answer, record in audited], promise, delta=float(routing["delta"])
    )
    return RunAudit(
        name=run.id,
        recipe=run.recipe,
        promise=promise,
        promised=certificate is not None,
        agreement=_share(audited),
        always=report.always,
        state=report.state,
        why=report.why,
        detects=report.detects,
        certified=_share([pair for pair in audited if not pair[1].provisional]),
        provisional=_share([pair for pair in audited if pair[1].provisional]),
        by_route={
            route: _share([pair for pair in audited if pair[1].route == route])
            for route in sorted({record.route for _, record in audited})
        },
        unsafe=_unsafe(audited),
        waiting=counts.count_reviews(connection, [run.id]).get("audit waiting", 0),
    )


def agrees(answer: Answer, record: Chosen) -> bool:
    """Whether an auditor said that the record's choice stands; a rejection or an edit of the same text does not."""
    return answer.choice in ("prefer", "accept") and answer.candidate_id == record.chosen_id


def _share(audited: list[tuple[Answer, Chosen]]) -> Figure:
    return rate(sum(agrees(*pair) for pair in audited), len(audited), "no such record was audited")


def _unsafe(audited: list[tuple[Answer, Chosen]]) -> Figure:
    n = len(audited)
    if not n:
        return nothing("no record was audited")
    flagged = ["unsafe" in (a.flags.get(record.chosen_id or "") or ()) for a, record in audited]
    share, at_most = rate_with_bound(flagged)
    return Figure(value=share, low=0.0, high=at_most, n=n)
