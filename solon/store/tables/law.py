"""What the agents follow: constitutions, rubrics, rules, consensus versions and precedents."""

from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, partial_index, ref


class Document(SQLModel):
    """One version of a document of the law, which never changes. Of one name and scope one version is in force.

    Attributes:
        id: the start of the document's fingerprint.
        name: name of the document, the same for all its versions.
        version: its number, e.g. `1.2.0`.
        scope: `global`, `recipe:NAME`, `tags:A,B` or both; of rules always `global`.
        status: `in_force`, or `superseded` by a later version.
        document: the whole document as JSON.
        author: who wrote this version, as its document says.
        reason: why it was written, as its document says.
        created_at: when the store got it, epoch seconds.
        in_force_at: when it came into force, epoch seconds.
        superseded_at: when a later version took its place, None while it is in force.
    """

    id: str = key()
    name: str
    version: str
    scope: str = "global"
    status: str = "in_force"
    document: Any = json_column()
    author: str = ""
    reason: str = ""
    created_at: float
    in_force_at: float | None = None
    superseded_at: float | None = None


def _one_in_force(table: str) -> Index:
    return partial_index(
        f"uq_{table}_in_force", "name", "scope", where=text("status = 'in_force'"), unique=True
    )


class Constitution(Document, table=True):
    """One version of a constitution."""

    __tablename__ = "constitutions"
    __table_args__ = (_one_in_force("constitutions"),)


class Rubric(Document, table=True):
    """One version of a rubric."""

    __tablename__ = "rubrics"
    __table_args__ = (_one_in_force("rubrics"),)


class RuleBook(Document, table=True):
    """One version of the rules that vote beside the panel."""

    __tablename__ = "rule_books"
    __table_args__ = (_one_in_force("rule_books"),)


class ConsensusVersion(SQLModel, table=True):
    """An immutable, numbered set of judge weights, calibration and threshold.

    Attributes:
        id: a hash of the prior's payload, or of scope and number.
        number: 0 for the prior, which holds before any decision; 1, 2, ... for the learned versions of a scope.
        kind: `prior`, or the kind of model that a learned one is.
        scope: id of the scope that it was learned for, see `store.runs.certificates`; empty for the prior.
        payload: the consensus model as JSON, see `ConsensusModel.from_json`.
        fitted_on: ids of the decisions that it was fitted on, how many were usable, and whether further ones would
            help; None for the prior.
        created_at: when it was made, epoch seconds.
    """

    __tablename__ = "consensus_versions"
    id: str = key()
    number: int = Field(index=True)
    kind: str
    scope: str = Field(default="", index=True)
    payload: Any = json_column()
    fitted_on: Any = json_column()
    created_at: float


class Precedent(SQLModel, table=True):
    """A decided item kept as case law.

    Attributes:
        id: a hash of the decision's id.
        decision_id: the decision that it keeps.
        item_id: the item that was decided.
        recipe: recipe of that item.
        half: `seen` (judges may be shown it) or `held_out` (the test set for amendments); fixed when it is made.
        group: group of the seed, whose precedents all lie in one half; None where the seed names none.
        retrievable: whether judges may be shown it by now.
        retrievable_at: since when, epoch seconds; None before.
        uses: how many drafts of an amendment have looked at it, of the held-out half; it wears out.
        overruled_at: when an amendment overruled it, None while it holds.
        created_at: when it was made, epoch seconds.
    """

    __tablename__ = "precedents"
    id: str = key()
    decision_id: str = ref("decisions.id")
    item_id: str = ref("items.id", index=True)
    recipe: str
    half: str
    group: str | None = None
    retrievable: bool = False
    retrievable_at: float | None = None
    uses: int = 0
    overruled_at: float | None = None
    created_at: float = Field(index=True)


class Certificate(SQLModel, table=True):
    """A promise of agreement with its scope, or the honest refusal of one. Each look at the sample is one row.

    Attributes:
        id: a fresh id.
        scope: id of the scope that it speaks of: recipe, panel, law and prompts, see `store.runs.certificates`.
        status: `granted` or `refused`.
        alpha: the largest share of disagreement that it allows.
        delta: the probability with which the promise may be wrong, over all looks together.
        spent_delta: the part of delta that this look took; 0 where nothing was tested.
        threshold: the confidence from which it accepts (of a cascade: that of the last tier that may accept at all);
            None where it was refused.
        consensus_id: the consensus version whose confidences it speaks of.
        covers: recipe, source (fingerprint) and name of the seeds, target, run, and how answers were written
            (`made`).
        figures: everything that was counted and tested, as JSON.
        reason: why it was granted or refused, in words.
        created_at: when the sample was looked at, epoch seconds.
        suspended_at: when an audit alarm took it out of force, None otherwise.
    """

    __tablename__ = "certificates"
    id: str = key()
    scope: str = Field(index=True)
    status: str
    alpha: float
    delta: float
    spent_delta: float
    threshold: float | None = None
    consensus_id: str = ref("consensus_versions.id")
    covers: Any = json_column()
    figures: Any = json_column()
    reason: str = ""
    created_at: float = Field(index=True)
    suspended_at: float | None = None


class Carry(SQLModel, table=True):
    """The plan by which random probes are to bring a certificate back for a run that it does not cover: written before
    any probe is drawn, one for each run.

    Attributes:
        id: a fresh id.
        run_id: the run.
        scope: its scope.
        source: fingerprint of its seeds.
        certificate_id: the certificate that is to be carried over.
        why: what has changed since, in words.
        alpha: the margin: the highest share of disagreement that the probes are to show.
        level: the part of delta that this one look may spend.
        slips: so many probes may disagree.
        items: how many the certificate would accept now, among which they are drawn.
        probes: list of [item, attempt, what the panel finds], in the order of the draw.
        state: `asked`, `granted` or `refused`.
        actor: who planned it.
        created_at: when it was planned, epoch seconds.
        closed_at: when it was first granted or refused; None before.
    """

    __tablename__ = "carries"
    id: str = key()
    run_id: str = Field(foreign_key="runs.id", index=True, unique=True, max_length=64)
    scope: str = Field(index=True)
    source: str
    certificate_id: str = ref("certificates.id")
    why: str
    alpha: float
    level: float
    slips: int
    items: int
    probes: Any = json_column()
    state: str = "asked"
    actor: str
    created_at: float
    closed_at: float | None = None
