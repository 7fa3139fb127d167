"""Consensus versions and certificates: what is in force for a scope, and adding the next ones.

A scope is a recipe with its panel, constitution, rubric and prompts. A change of any of them is another scope, so a
certificate never speaks for a panel that it has not seen; it also covers only the seeds that its sample came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, desc, func, select, update

from solon.consensus.model import ConsensusModel
from solon.store.database import clock
from solon.store.database.events import event
from solon.store.database.ids import hash_id, new_id
from solon.store.database.writer import insert_rows
from solon.store.tables import certificates, configs, records
from solon.store.tables import consensus_versions as versions
from solon.store.tables.law import Certificate, ConsensusVersion

if TYPE_CHECKING:
    from solon.store.runs.run_row import RunRow


SUSPENDED = "certificate.suspended"
"""What is written into the log where one is, and with its figures why."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a configuration asks of a certificate. One that promises less does not count for its runs, nor does one
    about answers that were written or criticised otherwise.

    Attributes:
        alpha: the largest share of disagreement that is allowed.
        delta: the probability with which the promise may be wrong.
        target: whose answer is to be met, `single` for one expert's, see `read_target`.
        made: hash of how answers are written and criticised, see `making_of`.
    """

    alpha: float
    delta: float
    target: str
    made: str

    @classmethod
    def wanted(cls, config: Mapping[str, Any]) -> Promise:
        """The promise that a stored configuration asks for."""
        routing = config["routing"]
        target = str(routing.get("target", "single"))
        return cls(float(routing["alpha"]), float(routing["delta"]), target, making_of(config))


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A certificate, or the refusal of one, as it is stored.

    Attributes:
        id: a fresh id.
        scope: id of its scope, see `scope_of`.
        status: `granted` or `refused`.
        alpha: the largest share of disagreement that it allows.
        delta: the probability with which it may be wrong, over all looks together.
        spent_delta: the part of delta that this look took; 0 where nothing was tested.
        threshold: the confidence from which it accepts; of a cascade that of the last tier that may accept at all.
            None where it was refused.
        consensus_id: the consensus version whose confidences it speaks of.
        covers: recipe, source (fingerprint) and name of the seeds, target, run, and how answers were written
            (`made`).
        figures: everything that was counted and tested.
        reason: why it was granted or refused, in words.
        created_at: when the sample was looked at, epoch seconds.
        suspended_at: when it was taken out of force, None otherwise.
    """

    id: str
    scope: str
    status: str
    alpha: float
    delta: float
    spent_delta: float
    threshold: float | None
    consensus_id: str
    covers: dict[str, Any]
    figures: dict[str, Any]
    reason: str
    created_at: float
    suspended_at: float | None

    @property
    def cuts(self) -> tuple[float | None, ...]:
        """The confidence from which each tier of the panel accepts, None for a tier that accepts nothing."""
        tiers = self.figures.get("tiers")
        return tuple(tier["threshold"] for tier in tiers) if tiers else (self.threshold,)

    @property
    def target(self) -> str:
        """Whose answer it promises to meet, `single` for one expert's."""
        return str(self.covers.get("target", "single"))

    def keeps(self, promise: Promise) -> bool:
        """Whether it promises at least what a configuration asks for, of answers made in the same way."""
        strict = self.alpha <= promise.alpha and self.delta <= promise.delta and self.target == promise.target
        return strict and self.covers.get("made", promise.made) == promise.made

    def to_promise(self) -> dict[str, Any]:
        """What it promises, in plain values, beside how often experts agree among themselves."""
        return {
            "certificate": self.id,
            "agreement": 1 - self.alpha,
            "confidence": 1 - self.delta,
            "threshold": self.threshold,
            "target": self.target,
            "ceiling": (self.figures.get("ceiling") or {}).get("experts_agree"),
        }


def making_of(config: Mapping[str, Any]) -> str:
    """A hash of how a stored configuration has answers written and criticised before the panel sees them."""
    roles = {name: config.get(name) or {} for name in ("generator", "critic", "instruction")}
    models = config.get("models") or {}
    named = {*(roles["generator"].get("models") or ()), roles["critic"].get("model")}
    functions = {*(roles["generator"].get("python") or ()), roles["critic"].get("python")}
    own = config.get("plugins") or {}
    paired = config.get("preference")  # there only where it is not as it was before there was a choice
    making = {
        **roles,
        **({"preference": paired} if paired else {}),
        "models": {
            name: {key: value for key, value in models[name].items() if key != "price"}
            for name in named
            if name in models
        },
        "functions": {name: own[name] for name in functions if name in own},
        "redrafts": (config.get("routing") or {}).get("max_redrafts"),
    }
    return hash_id("made", json.dumps(making, sort_keys=True))


def scope_of(recipe: str, panel: str, constitution_id: str, rubric_id: str, prompts_id: str) -> str:
    """The id of a scope: the same for the same recipe, panel, law and prompts."""
    return hash_id("scope", recipe, panel, constitution_id, rubric_id, prompts_id)


def crowd_scope(outcomes: Sequence[str]) -> str:
    """The scope of what is learned of people who are asked for these labels, whatever the recipe."""
    return hash_id("crowd", *sorted(outcomes))


def newest_consensus(connection: Connection, scope: str) -> str | None:
    """The id of the newest learned version of a scope, None before the first."""
    query = select(versions.c.id).where(versions.c.scope == scope).order_by(desc(versions.c.number)).limit(1)
    return connection.execute(query).scalar_one_or_none()


def newest_model(connection: Connection, scope: str) -> ConsensusModel | None:
    """The newest learned version of a scope as a model, None before the first."""
    version = newest_consensus(connection, scope)
    return None if version is None else ConsensusModel.from_json(consensus_payload(connection, version))


def consensus_payload(connection: Connection, consensus_id: str) -> dict[str, Any]:
    """The consensus model of a version as JSON, see `ConsensusModel.from_json`."""
    return dict(
        connection.execute(select(versions.c.payload).where(versions.c.id == consensus_id)).scalar_one()
    )


def learned_from(connection: Connection, consensus_id: str) -> int:
    """How many decisions a version was made from: those that fitted it and, of earlier Solons, those held out."""
    fitted_on = _fitted_on(connection, consensus_id)
    return int(fitted_on.get("usable", len(fitted_on.get("decisions", ()))))


def decisions_of(connection: Connection, consensus_id: str) -> set[str] | None:
    """The decisions that a version was made from; None of a version of earlier Solons, which noted those that fitted it
    and of those held out only how many.
    """
    known = _fitted_on(connection, consensus_id).get("decisions", ())
    return {*known} if learned_from(connection, consensus_id) == len(known) else None


def _fitted_on(connection: Connection, consensus_id: str) -> dict[str, Any]:
    query = select(versions.c.fitted_on).where(versions.c.id == consensus_id)
    return connection.execute(query).scalar_one() or {}


def newest_stopping(connection: Connection, scope: str) -> dict[str, Any] | None:
    """What the newest learned version of a scope says of whether further decisions would help, see
    `consensus.stop.Stopping`; None where it says nothing.
    """
    stopping = _newest_basis(connection, scope).get("stopping")
    return dict(stopping) if stopping else None


def newest_told(connection: Connection, scope: str) -> str:
    """What the newest version of a scope learned of the voters, in words; empty where nothing showed."""
    return str(_newest_basis(connection, scope).get("told", ""))


def _newest_basis(connection: Connection, scope: str) -> dict[str, Any]:
    """What the newest version of a scope was fitted on, see `ConsensusVersion`."""
    query = (
        select(versions.c.fitted_on)
        .where(versions.c.scope == scope)
        .order_by(desc(versions.c.number))
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none() or {}


def add_consensus(
    connection: Connection, scope: str, payload: dict[str, Any], fitted_on: dict[str, Any]
) -> tuple[str, int]:
    """Add the next version of a scope; returns its id and number.

    Args:
        payload: the consensus model as JSON.
        fitted_on: what it was fitted on, see `ConsensusVersion`.
    """
    last = connection.execute(select(func.max(versions.c.number)).where(versions.c.scope == scope)).scalar()
    number = int(last or 0) + 1
    version_id = hash_id("consensus", scope, number)
    row = {
        "id": version_id,
        "number": number,
        "kind": payload["kind"],
        "scope": scope,
        "payload": payload,
        "fitted_on": fitted_on,
        "created_at": clock.now(),
    }
    insert_rows(connection, [(ConsensusVersion, row)])
    return version_id, number


def add_certificate(
    connection: Connection,
    *,
    scope: str,
    source: str,
    granted: bool,
    spent_delta: float,
    consensus_id: str,
    outcome: dict[str, Any],
    covers: dict[str, Any],
) -> str:
    """Add a certificate or its refusal, and return its id. A newer one takes the place of those before it.

    Args:
        source: fingerprint of the seeds that the sample was drawn from.
        granted: whether it is a certificate or a refusal.
        outcome: the figures, with alpha, delta, threshold and why.
        covers: what it speaks of, besides scope and source.
    """
    certificate_id = new_id()
    row = {
        "id": certificate_id,
        "scope": scope,
        "status": "granted" if granted else "refused",
        "alpha": outcome["alpha"],
        "delta": outcome["delta"],
        "spent_delta": spent_delta,
        "threshold": outcome["threshold"],
        "consensus_id": consensus_id,
        "covers": {**covers, "source": source},
        "figures": outcome,
        "reason": outcome["why"],
        "created_at": clock.now(),
    }
    insert_rows(connection, [(Certificate, row)])
    return certificate_id


def looks(connection: Connection, scope: str) -> list[CertificateRow]:
    """Every look at the certification samples of a scope, granted or refused, the oldest first."""
    query = select(certificates).where(certificates.c.scope == scope).order_by(certificates.c.created_at)
    return [CertificateRow(**row) for row in connection.execute(query).mappings()]


def changes(connection: Connection) -> tuple[Any, ...]:
    """What is another whenever a look was taken or a certificate was suspended, of whatever scope."""
    newest = (func.count(), func.max(certificates.c.created_at), func.max(certificates.c.suspended_at))
    return tuple(connection.execute(select(*newest)).one())


def certificate_in_force(
    connection: Connection, scope: str, source: str, promise: Promise
) -> CertificateRow | None:
    """The newest granted certificate of a scope over these seeds that keeps the promise. None where that one is
    suspended: an earlier one does not take its place.
    """
    newest = _newest_granted(connection, scope, source, promise)
    return newest if newest is not None and newest.suspended_at is None else None


def certificate_of(connection: Connection, run: RunRow) -> CertificateRow | None:
    """The certificate in force for a run, None without one."""
    return certificate_in_force(connection, run.scope, run.seeds_fingerprint, wanted_by(connection, run))


def newest_granted(connection: Connection, run: RunRow) -> CertificateRow | None:
    """The last certificate that was granted for what the run asks, even where it is suspended."""
    return _newest_granted(connection, run.scope, run.seeds_fingerprint, wanted_by(connection, run))


def _newest_granted(
    connection: Connection, scope: str, source: str, promise: Promise
) -> CertificateRow | None:
    granted = [
        row
        for row in looks(connection, scope)
        if row.status == "granted" and row.covers.get("source") == source and row.keeps(promise)
    ]
    return granted[-1] if granted else None


def wanted_by(connection: Connection, run: RunRow) -> Promise:
    """The promise that a run asks of a certificate, by the configuration that it is pinned to."""
    payload = connection.execute(select(configs.c.payload).where(configs.c.id == run.config_id))
    return Promise.wanted(payload.scalar_one())


def find_certificate(connection: Connection, certificate_id: str) -> CertificateRow:
    """The certificate with this id, which must exist."""
    query = select(certificates).where(certificates.c.id == certificate_id)
    return CertificateRow(**connection.execute(query).mappings().one())


def suspend(
    connection: Connection, certificate_id: str, *, why: str, note: Mapping[str, Any] | None = None
) -> None:
    """Take a certificate out of force, as an audit alarm does; what it covered becomes provisional again.

    Args:
        why: in words, kept with it and in the log of events.
        note: what else is kept with its figures.
    """
    figures = {**find_certificate(connection, certificate_id).figures, SUSPENDED: why, **(note or {})}
    connection.execute(
        update(certificates).where(certificates.c.id == certificate_id).values(figures=figures)
    )
    insert_rows(connection, [event("system", SUSPENDED, certificate_id, {"why": why})])
    connection.execute(
        update(certificates).where(certificates.c.id == certificate_id).values(suspended_at=clock.now())
    )
    covered = (records.c.certificate_id == certificate_id, records.c.superseded_at.is_(None))
    connection.execute(update(records).where(*covered).values(provisional=True))
