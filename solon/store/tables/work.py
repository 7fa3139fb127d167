"""What the agents made of an item: candidates, critiques, verdicts, resolutions, records."""

from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, partial_index, ref

UNUSED = text("kind NOT IN ('draft', 'given', 'revision', 'edit', 'merged')")
"""A candidate that was not used. The index of these says it in the same words, else a database does not follow it."""


class Candidate(SQLModel, table=True):
    """A draft, a revision, a given response or an expert's edit.

    Attributes:
        id: a hash of the item, its attempt, and the step and place where it was made.
        item_id: the item that it answers.
        attempt: the attempt of the item.
        round: 0 for the first drafts, one more with every redraft.
        ordinal: its place among those of its step; of an edit the number of the reviews before it.
        kind: draft, given, revision or edit; of a draft that was not used what was wrong with it, e.g. `duplicate`.
        text_id: its text.
        prompt_text_id: the instruction that it answers, only where it has one of its own; None: that of the seed.
        input_text_id: what that instruction of its own speaks of; None where there is nothing, or no such instruction.
        parent_id: the candidate that it revises, edits or repeats in a later attempt; None otherwise.
        call_id: the call of the journal that wrote it, None where none did.
        author: the model, function, person or source that wrote it.
        created_at: when it was stored, epoch seconds.
    """

    __tablename__ = "candidates"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    attempt: int
    round: int
    ordinal: int
    kind: str
    text_id: str = ref("texts.id")
    prompt_text_id: str | None = ref("texts.id", nullable=True)
    input_text_id: str | None = ref("texts.id", nullable=True)
    parent_id: str | None = ref("candidates.id", nullable=True)
    call_id: str | None = ref("calls.id", nullable=True)
    author: str = ""
    created_at: float

    __table_args__ = (partial_index("ix_candidates_unused", "item_id", where=UNUSED),)


class Critique(SQLModel, table=True):
    """A critic's findings on one candidate.

    Attributes:
        id: a hash of the item, its attempt, the round and the candidate's place.
        item_id: the item.
        attempt: its attempt.
        candidate_id: the candidate criticised.
        text_id: JSON text of its findings, each {principle, quote, severity, suggestion}.
        call_id: the call that made it, in the journal.
        worst: the worst severity found: none, minor, major or fatal.
        principles: list of ids of the principles cited.
        abstained: why the critic found nothing to say, e.g. a broken answer; None where it spoke.
        created_at: when it was stored, epoch seconds.
    """

    __tablename__ = "critiques"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    attempt: int
    candidate_id: str = ref("candidates.id", index=True)
    text_id: str | None = ref("texts.id", nullable=True)
    call_id: str | None = ref("calls.id", nullable=True)
    worst: str = "none"
    principles: Any = json_column()
    abstained: str | None = None
    created_at: float


class Verdict(SQLModel, table=True):
    """One judge's finding on a pair (a, b) or on a single candidate (a).

    Attributes:
        id: a hash of the item, its attempt, round, pair and place.
        item_id: the item.
        attempt: its attempt.
        round: the round of drafts that the candidates are of.
        a_id: the first candidate shown.
        b_id: the second, None where a single candidate was judged.
        judge: the model or function that votes; several seats of one judge are one voter.
        seat: the judge's place on the panel.
        order: `AB` or `BA`: whichever the judge saw first stands first; empty on a single candidate.
        sample: number of the try, from 0, where a judge is asked several times.
        outcome: A, B or tie, accept or reject, a label, abstain, or silent (of a rule that does not match); mapped
            back from the order seen, so that A is candidate a.
        p: probability of candidate a (of accept, on a single one); None where the judge gave none.
        confidence: what the judge said of itself, 0 to 1; None where it said nothing.
        scores: criterion of the rubric -> score; None where it was not asked for scores.
        rationale_id: text of its reasons, None without.
        call_id: the model call that made it, None where it came with the seed.
        abstained: why there is no finding, None where there is one.
        basis: what it was read from: letter, bound (the other letter was not listed: `p` is at least so far from
            even), json, function, rule or classifier; None where it is not known.
        purpose: what it was asked for: None of a vote of the panel; `shortlist` of scores by which candidates were
            ranked before, `first` of votes before a debate, `not_asked` of a vote that nobody was asked for: none of
            these is a vote.
        shares: outcome -> probability, where the voter gave one for each; None where it did not.
        evidence: words of a single candidate that it points to (the worst turn of a dialogue), each with candidate,
            start, end and flag, as those of a decision; None without.
        created_at: when it was stored, epoch seconds.
    """

    __tablename__ = "verdicts"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    attempt: int
    round: int
    a_id: str = ref("candidates.id")
    b_id: str | None = ref("candidates.id", nullable=True)
    judge: str
    seat: str
    order: str = ""
    sample: int = 0
    outcome: str
    p: float | None = None
    confidence: float | None = None
    scores: Any = json_column()
    rationale_id: str | None = ref("texts.id", nullable=True)
    call_id: str | None = ref("calls.id", nullable=True)
    abstained: str | None = None
    basis: str | None = None
    purpose: str | None = None
    shares: Any = json_column()
    evidence: Any = json_column()
    created_at: float

    __table_args__ = (partial_index("ix_verdicts_scored", "a_id", where=text("scores IS NOT NULL")),)


class Resolution(SQLModel, table=True):
    """The resolver's answer to a split panel: the rule that it cites, or that it hands over.

    Attributes:
        id: a hash of the item, its attempt, round and pair.
        item_id: the item.
        attempt: its attempt.
        round: the round of drafts that the candidates are of.
        favours_id: the candidate that it favours, None where it favours none; of one text, that text.
        outcome: what it says of one text, None of pairs and where it handed over.
        cites: list of the principles and precedents that settle it.
        handed_over: why the question goes to a person, None where it was settled.
        text_id: text of its reasons, None without.
        call_id: the model call that made it.
        created_at: when it was stored, epoch seconds.
    """

    __tablename__ = "resolutions"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    attempt: int
    round: int
    favours_id: str | None = ref("candidates.id", nullable=True)
    outcome: str | None = Field(default=None, max_length=200)
    cites: Any = json_column()
    handed_over: str | None = None
    text_id: str | None = ref("texts.id", nullable=True)
    call_id: str | None = ref("calls.id", nullable=True)
    created_at: float


class Record(SQLModel, table=True):
    """A finished row, with the law that it was accepted under. An attempt of an item has one, or one for each pair of a
    ranking. Superseded rows stay.

    Attributes:
        id: a hash of the item, its attempt and the place.
        item_id: the item that it came from.
        run_id: the run of that item.
        attempt: the attempt of that item.
        place: its place among those of its attempt, from 0.
        recipe: recipe of the run.
        kind: what was settled: prefer, tie, edit, accept or label.
        chosen_id: the better candidate, or the one accepted; None for a tie.
        rejected_id: the worse candidate, None without a pair or for a tie.
        weight: of a pair of a ranking: all pairs of a ranking weigh 1 together; None of other records.
        question: name of the question by which the answers were ranked; None where it has none.
        pair_key: the same wherever the same answers are set to the same conversation (and ranked by the same
            question), see `store.runs.row_keys`; None without a chosen candidate.
        shown: list of ids of the candidates that panel or person compared.
        label: the label that a person gave, in recipes of labels; None otherwise.
        margin: the panel's best probability minus its second, whichever of them the record says; None without a panel.
        confidence: the probability that an expert agrees (of panel and votes together where those settled it), None
            without either.
        soft_label: the panel's probability that the chosen one is the better one, .5 for a tie; None where it did
            not judge it.
        shares: outcome -> its probability by the panel (by panel and votes together where those settled it), summing
            to 1 but for rounding; None where neither weighed what the record says.
        tier: the last tier of the panel that was asked, None without a panel.
        scores: criterion -> score that the deciding person gave, None without.
        route: how it was settled: by the machine (consensus, resolved, redrafted), `voted` or `decided`.
        provisional: decided by no single expert, and not covered by a certificate in force.
        certificate_id: the certificate that it was accepted under, None without one.
        consensus_id: the consensus version in use.
        constitution_id: the constitution in use.
        rubric_id: the rubric in use.
        decision_id: the decision, by a person or by votes, that settled it; None where the panel did.
        superseded_at: when a later attempt took its place, None while it counts.
        stale_at: when the law under which the panel accepted it was amended, None otherwise.
        created_at: when it was made, epoch seconds.
    """

    __tablename__ = "records"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    run_id: str = ref("runs.id")
    attempt: int
    place: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    recipe: str
    kind: str
    chosen_id: str | None = ref("candidates.id", nullable=True)
    rejected_id: str | None = ref("candidates.id", nullable=True)
    weight: float | None = None
    question: str | None = None
    pair_key: str | None = Field(default=None, index=True, max_length=64)
    shown: Any = json_column()
    label: str | None = None
    margin: float | None = None
    confidence: float | None = None
    soft_label: float | None = None
    shares: Any = json_column()
    tier: int | None = None
    scores: Any = json_column()
    route: str
    provisional: bool = True
    certificate_id: str | None = None
    consensus_id: str | None = None
    constitution_id: str | None = Field(default=None, max_length=64)
    rubric_id: str | None = Field(default=None, max_length=64)
    decision_id: str | None = Field(default=None, index=True)
    superseded_at: float | None = None
    stale_at: float | None = None
    created_at: float

    __table_args__ = (Index("ix_records_run_created", "run_id", "created_at"),)


class Fingerprint(SQLModel, table=True):
    """One MinHash band of an accepted or pending instruction: equal bands are near-duplicate suspects.

    Attributes:
        id: a hash of the candidate and the band.
        scope: name of the recipe within which instructions must differ, or the run and which texts of it.
        band: hash of the band's rows.
        candidate_id: the candidate that the text belongs to.
        item_id: the item of that candidate.
        signature: the whole MinHash as a JSON list, to estimate the similarity from.
    """

    __tablename__ = "fingerprints"
    id: str = key()
    scope: str
    band: str
    candidate_id: str = Field(max_length=64)
    item_id: str = Field(index=True, max_length=64)
    signature: str

    __table_args__ = (Index("ix_fingerprints_band", "scope", "band"),)
