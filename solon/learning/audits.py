"""Blind audits of accepted items against the promise: what they say of it, and the alarm that suspends the
certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from solon.consensus.target import read_target
from solon.learning.evidence import answers_by_question, final_among, question_of
from solon.store.learning import evidence
from solon.store.runs import certificates

if TYPE_CHECKING:
    from solon.config import Config
    from solon.consensus.audit import AuditReport
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.learning.evidence import DecidedItem
    from solon.store.runs.run_row import RunRow


def watch_audits(store: Store, run: RunRow, config: Config) -> AuditReport:
    """What `read_audits` says of a run. An alarm suspends its certificate."""
    with store.connect() as connection:
        report = read_audits(connection, run, config)
    if report.state == "alarm":
        with store.transaction() as connection:
            in_force = certificates.certificate_of(connection, run)
            if in_force is not None:
                certificates.suspend(connection, in_force.id, why=report.why)
    return report


def read_audits(connection: Connection, run: RunRow, config: Config) -> AuditReport:
    """What blind audits say of the run's accepted items, against the promise of its certificate.

    Audited items were drawn at random before anything was known of them, and decided by people who could not
    tell. Once there is a certificate, only audits of what it covers speak of it, so that a new one begins
    anew. An audit counts once as many people have answered it as the promise's target asks for.
    """
    from solon.consensus.audit import watch

    audits = evidence.counted_decisions(
        connection, "", [run.id], kind="audit"
    )  # no key: no half is told of them
    choices = evidence.chosen_of(connection, [(d.item_id, d.attempt) for d in audits])
    spoken_of = certificates.newest_granted(connection, run)
    outcomes = _said_of(connection, config, audits)
    agreed = []
    for audit in audits:
        chosen, label, certificate_id = choices.get((audit.item_id, audit.attempt), (None, None, None))
        of_it = spoken_of is None or (
            certificate_id == spoken_of.id and audit.decided_at >= spoken_of.created_at
        )
        stands = audit.question.said_by(chosen, label, audit.shown)
        if of_it and stands is not None and audit.decision_id in outcomes:
            agreed.append(outcomes[audit.decision_id] == stands)
    promised = spoken_of or config.routing
    report = watch(agreed, 1 - promised.alpha, delta=promised.delta)
    return replace(report, certificate=spoken_of.id if spoken_of else None)


def _said_of(connection: Connection, config: Config, audits: Sequence[DecidedItem]) -> dict[str, str]:
    """decision -> what the target of the promise says of the audit; without those that too few have answered."""
    target = read_target(config.routing.target)
    if target.audited_by == 1:
        return {one.decision_id: one.outcome for one in audits if one.outcome is not None}
    answers = answers_by_question(evidence.blind_answers(connection))
    names = {who for by_person in answers.values() for who in by_person}
    final = final_among(connection, names, config.reviewers)
    outcomes = {}
    for one in audits:
        by_person = answers.get(question_of(one.item_id, one.attempt), {})
        outcome = target.audit_outcome([answer for who, answer in by_person.items() if who in final])
        if outcome is not None:
            outcomes[one.decision_id] = outcome
    return outcomes
