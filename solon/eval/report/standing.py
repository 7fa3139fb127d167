"""What a run's scope has learned and promised: versions, looks, the certificate in force, audits.

It reads only, but for the audit watch, whose alarm suspends a certificate.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.config.pinned import config_as_stored
from solon.consensus.target import read_target
from solon.display.text import moment
from solon.learning.audits import watch_audits
from solon.learning.strata import strata_in, tell_strata
from solon.learning.why_suspended import read_suspension
from solon.store.records import audits, counts, evaluation
from solon.store.runs import certificates, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.runs.certificates import CertificateRow
    from solon.store.runs.run_row import RunRow


class Version(BaseModel):
    """A consensus version.

    Attributes:
        id: of the version.
        number: in its scope, rising.
        kind: what it was learned from, see `solon.consensus.model.ConsensusModel`.
        decisions: that fitted it.
        made_at: when.
        told: what it learned of the voters, in words; empty where nothing showed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    number: int
    kind: str
    decisions: int
    made_at: str
    told: str = ""


class Look(BaseModel):
    """One look at the held-out pilot decisions, which grants a certificate or refuses it.

    Attributes:
        id: of the certificate, also of a refused one.
        look: its number in the scope, from 1.
        status: `granted`, `refused`, `suspended`, `superseded`, or `not for this run` (it covers other seeds,
            or promises less than the run asks).
        sample: decisions that were looked at.
        alpha: highest share of disagreement that it promises.
        delta: highest probability that the promise is false, over all looks.
        spent_delta: the part of it that this look spends.
        threshold: confidence from which items are accepted; None where refused.
        promise: in words; empty where refused.
        figures: further figures of the certification.
        why: in words.
        made_at: when.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    look: int
    status: str
    sample: int
    alpha: float
    delta: float
    spent_delta: float
    threshold: float | None
    promise: str
    figures: dict[str, Any]
    why: str
    made_at: str


class Standing(BaseModel):
    """Where learning stands for a run's recipe, panel, law, prompts and seeds.

    Attributes:
        run_id: the run.
        recipe: its recipe.
        policy: of routing.
        scope: names what the learning belongs to; runs of one scope learn together.
        counted: decisions in force that count.
        not_counted: decisions in force that do not, without an expert's token or after the votes were shown.
        versions: consensus versions of the scope.
        looks: at its certification samples, the oldest first.
        in_force: the look whose certificate is in force for this run; None where none is.
        strata: what the look in force, or the newest where none is, shows of each stratum by itself, a sentence each.
        suspended: where none is: why an earlier one does not count, and what brings it back, as plain values of
            `solon.learning.why_suspended.Suspension`; None where there was none.
        audit: what blind audits say of the promise, as plain values of `solon.consensus.audit.AuditReport`.
        unsafe: accepted records that were flagged unsafe in audits, with the exact 95% upper bound `at_most`
            of their share; `known`: all that are known.
        more_decisions: whether further decisions still pay, as of the newest version; None where none was
            learned.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    recipe: str
    policy: str
    scope: str
    counted: int
    not_counted: int
    versions: tuple[Version, ...]
    looks: tuple[Look, ...]
    in_force: Look | None
    strata: tuple[str, ...]
    suspended: dict[str, Any] | None
    audit: dict[str, Any]
    unsafe: dict[str, Any]
    more_decisions: dict[str, Any] | None


def read_standing(store: Store, run: RunRow) -> Standing:
    """Return where learning stands for a run.

    The audits are watched first, because an alarm takes the certificate out of force.
    """
    with store.connect() as connection:
        stored = runs.config_payload(connection, run.config_id)
    config = config_as_stored(stored, run.id)
    audit = watch_audits(store, run, config)
    with store.connect() as connection:
        versions = evaluation.consensus_versions(connection, run.scope)
        looks = certificates.looks(connection, run.scope)
        in_force = certificates.certificate_of(connection, run)
        counted, others = counts.count_decisions(connection, run.id)
        unsafe = audits.tell_unsafe(connection, run.id)
        stopping = certificates.newest_stopping(connection, run.scope)
        suspended = read_suspension(connection, run, config.reviewers)
        strata = _strata(connection, run, in_force, looks)
    in_force_id = in_force.id if in_force else None
    wanted = certificates.Promise.wanted(stored)
    numbered = tuple(
        _look(i, row, in_force_id, row.covers.get("source") == run.seeds_fingerprint and row.keeps(wanted))
        for i, row in enumerate(looks, 1)
    )
    return Standing(
        run_id=run.id,
        recipe=run.recipe,
        policy=config.routing.policy,
        scope=run.scope,
        counted=counted,
        not_counted=others,
        versions=tuple(
            Version(
                id=v.id,
                number=v.number,
                kind=v.kind,
                decisions=v.decisions,
                made_at=moment(v.created_at),
                told=v.told,
            )
            for v in versions
        ),
        looks=numbered,
        in_force=next((look for look in numbered if look.id == in_force_id), None),
        strata=strata,
        suspended=suspended.to_json() if suspended else None,
        audit=asdict(audit),
        unsafe=unsafe,
        more_decisions=stopping,
    )


def _strata(
    connection: Connection, run: RunRow, in_force: CertificateRow | None, looks: Sequence[CertificateRow]
) -> tuple[str, ...]:
    ours = [row for row in looks if row.covers.get("run") == run.id]
    row = in_force or (ours[-1] if ours else None)
    if row is None or row.suspended_at is not None or "strata" not in row.figures:
        return ()
    shown = strata_in(row.figures, connection)
    return tuple(tell_strata(row.figures, shown, in_force=in_force is not None))


def _look(number: int, row: CertificateRow, in_force: str | None, ours: bool) -> Look:
    status = row.status
    if status == "granted" and row.id != in_force:
        status = "superseded" if ours else "not for this run"
        status = "suspended" if row.suspended_at is not None else status
    why = row.figures.get(certificates.SUSPENDED)
    reason = row.reason if why is None else f"suspended: {why}; granted: {row.reason}"
    seeds = f" over {row.covers['seeds']}" if row.covers.get("seeds") else ""
    promise = (
        f"at least {1 - row.alpha:.0%} agreement with {read_target(row.target)}, "
        f"shown with confidence {1 - row.delta:.0%}{seeds}"
    )
    return Look(
        id=row.id,
        look=number,
        status=status,
        sample=int(row.figures.get("sample", 0)),
        alpha=row.alpha,
        delta=row.delta,
        spent_delta=row.spent_delta,
        threshold=row.threshold,
        promise=promise if row.status == "granted" else "",
        figures=row.figures,
        why=reason,
        made_at=moment(row.created_at),
    )
