"""What goes over the wire about an item: everything behind it, as the store keeps it.

Texts that were erased are null; of a seed only what is known is there.
"""

from __future__ import annotations

from pydantic import Field

from solon.review.schemas.examples import example
from solon.review.schemas.law_examples import LINEAGE
from solon.review.schemas.queue import Id, Wire


class RecordRow(Wire):
    """The row that the item became, with the law it was accepted under. `shown`: the candidates judged, A first."""

    id: Id
    item_id: Id
    run_id: Id
    attempt: int
    recipe: str
    kind: str
    chosen_id: Id | None
    rejected_id: Id | None
    pair_key: str | None = Field(
        description="the same wherever the same answers are set to the same conversation, in any run"
    )
    shown: list[Id] | None
    label: str | None
    margin: float | None
    confidence: float | None
    soft_label: float | None = Field(
        description="probability that the chosen one is better, or of the label; 0.5 of a tie"
    )
    tier: int | None = Field(description="tiers of the panel that were asked, from 0")
    scores: dict[str, int] | None = Field(description="an expert's, by criterion, 1 to 5")
    route: str
    provisional: bool = Field(description="neither decided by a person nor covered by a certificate")
    certificate_id: Id | None
    consensus_id: Id | None
    constitution_id: Id | None
    rubric_id: Id | None
    decision_id: Id | None
    superseded_at: float | None
    stale_at: float | None = Field(description="since when the law it was accepted under is replaced")
    created_at: float


class ItemRow(Wire):
    id: Id
    state: str
    route: str | None
    reason: str | None
    attempt: int
    graph_version: str


class RunRow(Wire):
    id: Id
    recipe: str
    config_id: Id
    actor: str
    created_at: float


class SeedFacts(Wire):
    """Keys that the seed has nothing for are absent."""

    external_id: str = ""
    group: str = ""
    source: str = ""
    licence: str = ""
    consent: str = ""
    prompt: str


class PinnedTo(Wire):
    """What the item was made under, each with its version and id; `prompts`: by template."""

    constitution: str
    rubric: str
    consensus: str
    prompts: dict[str, str]


class CandidateRow(Wire):
    """`parent_id`: the draft that it is a revision of."""

    id: Id
    attempt: int
    round: int
    kind: str
    author: str
    parent_id: Id | None
    call_id: Id | None
    model: str | None = Field(description="that wrote it; null where no call did")
    text: str | None


class CritiqueRow(Wire):
    """`text` is a JSON list of findings: principle, quote, severity, suggestion."""

    candidate_id: Id
    worst: str = Field(description="none, minor, major or fatal")
    principles: list[str] | None
    abstained: str | None
    call_id: Id | None
    model: str | None = Field(description="that wrote it; null where no call did")
    text: str | None


class VerdictRow(Wire):
    """A judge's verdict on candidates a and b, or on a alone. `p`: its probability of a, or of accepting."""

    a_id: Id
    b_id: Id | None
    judge: str
    seat: str
    order: str = Field(description="AB or BA, as the judge saw them; empty for a single candidate")
    sample: int
    outcome: str = Field(description="A, B, tie, accept, reject or abstain")
    p: float | None
    scores: dict[str, float] | None
    abstained: str | None
    basis: str | None = Field(
        description="what it was read from: letter, the first token's probabilities; bound, the same where the other "
        "letter was not listed, p being the end nearest to even; json; function; null where not known"
    )
    call_id: Id | None
    model: str | None = Field(description="that wrote it; null where no call did")
    rationale: str | None


class ResolutionRow(Wire):
    favours_id: Id | None
    cites: list[str] | None
    handed_over: str | None
    call_id: Id | None
    model: str | None = Field(description="that wrote it; null where no call did")
    text: str | None


class Reason(Wire):
    """Why an item waits for a person: a code, a sentence, and where there is one the figure with its limit."""

    code: str
    text: str
    value: int | float | None = Field(None, description="absent where there is none, and so is `limit`")
    limit: float | None = None


class ReviewRowOut(Wire):
    """`rule`: what brought it to a person."""

    id: Id
    attempt: int
    state: str
    rule: str
    reasons: list[Reason] | None
    margin: float | None
    confidence: float | None
    decision_id: Id | None


class DecisionRow(Wire):
    """`flags`: what is wrong with a candidate, by its id. `carried_from`: the decision of an earlier run it repeats."""

    id: Id
    actor: str
    channel: str
    choice: str
    candidate_id: Id | None
    principles: list[str] | None
    flags: dict[str, list[str]] | None
    decided_at: float
    undone_at: float | None
    carried_from: Id | None
    rationale: str | None
    edit: str | None


class SetAsideRow(Wire):
    """Somebody's review that they skipped, declined (`reason`) or handed to a lead, with what they wrote; `choice` and
    `candidate_id`: the vote that went along."""

    id: Id
    review_id: Id
    actor: str
    state: str
    reason: str | None
    closed_at: float | None
    choice: str | None
    candidate_id: Id | None
    rationale: str | None


class CallRow(Wire):
    """A model call from the journal. Tokens and cost are null where they are not known."""

    id: Id
    role: str
    seat: str
    sample: int
    round: int
    model: str
    template: str
    outcome: str
    input_tokens: int | None
    output_tokens: int | None
    estimated: bool | None = Field(description="the provider did not tell the tokens; cost follows from them")
    cost: float | None
    seconds: float
    error: str | None = Field(description="what was wrong with an answer, or why there was none")
    reasoning: str | None = Field(
        description="what the model thought, and whatever else it wrote beside its answer"
    )


class Lineage(Wire, json_schema_extra=example(LINEAGE)):
    """Everything behind an item, each list in the order in which it came to be."""

    record: RecordRow | None = Field(description="null while the item has none")
    item: ItemRow
    run: RunRow
    seed: SeedFacts
    law: PinnedTo
    candidates: list[CandidateRow]
    critiques: list[CritiqueRow]
    verdicts: list[VerdictRow]
    resolutions: list[ResolutionRow]
    reviews: list[ReviewRowOut]
    decisions: list[DecisionRow]
    set_aside: list[SetAsideRow]
    calls: list[CallRow]
