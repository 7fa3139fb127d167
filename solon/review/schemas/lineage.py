"""What goes over the wire about an item: everything behind it, as the store keeps it.

Texts that were erased are null; of a seed only what is known is there.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from solon.review.schemas.examples import example
from solon.review.schemas.law_examples import LINEAGE
from solon.review.schemas.queue import CheckRemarkOut, EvidenceOut, Id, SeedCriterionOut, Wire


class RecordRow(Wire):
    """The row that the item became, with the law it was accepted under.

    Attributes:
        id: its id.
        item_id: id of the item.
        run_id: id of the run.
        attempt: the attempt of the item, from 0.
        place: its place among the records of that attempt, from 0.
        recipe: name of the recipe.
        kind: what was settled: prefer, tie, edit, accept or label.
        chosen_id: id of the chosen candidate; null where none was.
        rejected_id: id of the rejected candidate; null where none was.
        weight: of a pair of a ranking, all of whose pairs weigh 1 together; null of other records.
        question: name of the question by which it was ranked; null where it has none.
        shown: ids of the candidates judged, A first.
        label: the label; null where there is none.
        margin: how far the first outcome leads the second, 0 to 1; null without a panel.
        confidence: the panel's probability of its best outcome; null without a panel.
        route: the way on which it was accepted, e.g. consensus, voted or decided.
        certificate_id: id of the certificate that covers it; null for none.
        consensus_id: id of the consensus version in force.
        constitution_id: id of the constitution it was accepted under.
        rubric_id: id of the rubric it was accepted under.
        decision_id: id of the decision it rests on; null for none.
        superseded_at: since when a newer record stands, in epoch seconds; null where none does.
        created_at: when it was made, in epoch seconds.
        principles: ids of the principles that the texts were made by; empty where by none.
    """

    id: Id
    item_id: Id
    run_id: Id
    attempt: int
    place: int
    recipe: str
    kind: str
    chosen_id: Id | None
    rejected_id: Id | None
    weight: float | None
    question: str | None
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
    shares: dict[str, float] | None = Field(
        description="each outcome's probability by the panel (with the votes, where they settled it)"
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
    principles: list[str]


class ExampleRow(Wire):
    """What an example was taken from.

    Attributes:
        seed_id: id of the seed, or of that of the record.
        record_id: id of the record; null of a seed.
    """

    seed_id: Id
    record_id: Id | None


class ItemRow(Wire):
    """The item, and how it ended or stands.

    Attributes:
        id: its id.
        number: which of its seed's items it is, from 0.
        state: where it ended or stands.
        route: the way on which it was accepted; null before.
        reason: why it was not, or waits; null where there is nothing to say.
        attempt: the attempt of the item, from 0.
        graph_version: version of the graph that its thread was written by.
        examples: what its drafts were shown out of a pool; null where nothing was drawn.
    """

    id: Id
    number: int = 0
    state: str
    route: str | None
    reason: str | None
    attempt: int
    graph_version: str
    examples: list[ExampleRow] | None = None


class RunRow(Wire):
    """The run that an item is of.

    Attributes:
        id: its id.
        recipe: name of the recipe.
        config_id: id of its configuration.
        actor: who began it.
        created_at: when it was begun, in epoch seconds.
    """

    id: Id
    recipe: str
    config_id: Id
    actor: str
    created_at: float


class SeedFacts(Wire):
    """The seed that an item started from. What it has nothing for is absent.

    Attributes:
        external_id: its name in the file that it came from.
        group: what seeds belong together.
        source: where it is from.
        licence: under which licence it may be used.
        consent: which consent covers it.
        prompt: the request, as it is shown.
        metadata: what else its row said; of a passage its document and its offsets, too.
    """

    external_id: str = ""
    group: str = ""
    source: str = ""
    licence: str = ""
    consent: str = ""
    prompt: str
    metadata: dict[str, Any] = Field(default_factory=dict)


class PinnedTo(Wire):
    """What the item was made under.

    Attributes:
        constitution: name, version and id of the constitution.
        rubric: name, version and id of the rubric.
        consensus: number and id of the consensus version.
        prompts: version and id of each template, by its name.
    """

    constitution: str
    rubric: str
    consensus: str
    prompts: dict[str, str]


class SeedRubricOut(Wire):
    """The rubric that a seed brought, or that a person confirmed for it.

    Attributes:
        version: a hash of all that it says.
        criteria: its criteria with their weights, in their order.
        drafted_by: the model that drafted it; None where none did.
        confirmed_by: the person who confirmed it; None where the seed brought it.
        corrected: the person wrote it otherwise than it was drafted.
    """

    version: str
    criteria: list[SeedCriterionOut]
    drafted_by: str | None = None
    confirmed_by: str | None = None
    corrected: bool = False


class ConfirmedRubricOut(Wire):
    """A rubric that a person confirmed for an item, whether or not it still stands.

    Attributes:
        version: a hash of all that it says; null where that was erased.
        confirmed_by: the person who confirmed it.
        undone_at: when that was taken back, in epoch seconds; null where it stands.
        attempts: the attempts of the item whose verdicts were judged by it.
    """

    version: str | None
    confirmed_by: str
    undone_at: float | None
    attempts: list[int]


class Contrast(Wire):
    """What an answer was asked to do, so that two make a pair.

    Attributes:
        principle: id of the principle that both answers are about.
    """

    principle: str
    asked_to: str = Field(description="follow or break")


class CandidateRow(Wire):
    """A candidate, and how it came to be.

    Attributes:
        id: its id.
        attempt: the attempt of the item, from 0.
        round: the round of drafts, from 0.
        kind: draft, given, revision or edit; of a draft that was not used what was wrong with it.
        author: who wrote it.
        parent_id: id of the draft that it is a revision of; null where it is none.
        call_id: id of the model call that wrote it; null where no call did.
        text: its words; null where they were erased.
        contrast: what it was asked to do with a principle; null where nothing was.
    """

    id: Id
    attempt: int
    round: int
    kind: str
    author: str
    parent_id: Id | None
    call_id: Id | None
    model: str | None = Field(description="that wrote it; null where no call did")
    text: str | None
    contrast: Contrast | None = None


class CritiqueRow(Wire):
    """What a critic found in a candidate.

    Attributes:
        candidate_id: id of the candidate.
        principles: ids of the principles that are broken.
        abstained: why there are no findings; null where there are.
        call_id: id of the model call that wrote it; null where no call did.
        text: JSON list of findings: principle, quote, severity, suggestion.
    """

    candidate_id: Id
    worst: str = Field(description="none, minor, major or fatal")
    principles: list[str] | None
    abstained: str | None
    call_id: Id | None
    model: str | None = Field(description="that wrote it; null where no call did")
    text: str | None


class VerdictRow(Wire):
    """A judge's verdict on candidates a and b, or on a alone.

    Attributes:
        attempt: the attempt of the item, from 0.
        a_id: id of candidate a.
        b_id: id of candidate b; null where a was judged alone.
        judge: name of the judge.
        seat: the seat of the judge in the panel.
        sample: number of the sample, from 0.
        p: the judge's probability of a, or of accepting; null without a verdict.
        scores: by criterion, where a single candidate was scored.
        shares: outcome -> probability, where the voter gave one for each.
        abstained: why there is no verdict; null where there is one.
        call_id: id of the model call that wrote it; null where no call did.
        rationale: what the judge wrote; null where nothing.
        evidence: the words of candidate a that it points to, as the worst turn of a dialogue.
    """

    attempt: int
    a_id: Id
    b_id: Id | None
    judge: str
    seat: str
    order: str = Field(description="AB or BA, as the judge saw them; empty for a single candidate")
    sample: int
    outcome: str = Field(
        description="A, B, tie, accept, reject, a label, abstain, or silent (of a rule that does not match)"
    )
    p: float | None
    scores: dict[str, float] | None
    shares: dict[str, float] | None
    abstained: str | None
    basis: str | None = Field(
        description="what it was read from: letter, the first token's probabilities; bound, the same where the other "
        "letter was not listed, p being the end nearest to even; json; expectation, json with scores that are "
        "means over their tokens' probabilities; function; rule; classifier; null where not known"
    )
    call_id: Id | None
    model: str | None = Field(description="that wrote it; null where no call did")
    rationale: str | None
    evidence: list[EvidenceOut]


class ResolutionRow(Wire):
    """What the resolver said of a split panel.

    Attributes:
        favours_id: id of the candidate it sides with; null for none; of one text, that text.
        outcome: what it says of one text; null of pairs.
        cites: ids of the rules cited.
        handed_over: why it left the question to people; null where it did not.
        call_id: id of the model call that wrote it; null where no call did.
        text: its explanation.
    """

    favours_id: Id | None
    outcome: str | None
    cites: list[str] | None
    handed_over: str | None
    call_id: Id | None
    model: str | None = Field(description="that wrote it; null where no call did")
    text: str | None


class Reason(Wire):
    """Why an item waits for a person.

    Attributes:
        code: name of the reason.
        text: the reason in a sentence.
        limit: what the figure is held against.
    """

    code: str
    text: str
    value: int | float | None = Field(None, description="absent where there is none, and so is `limit`")
    limit: float | None = None


class ReviewRowOut(Wire):
    """A time at which the item waited for a person.

    Attributes:
        id: its id.
        attempt: the attempt of the item, from 0.
        state: where it stands.
        rule: what brought it to a person.
        reasons: the reasons with their figures.
        margin: how far the first outcome leads the second, 0 to 1; null without a panel.
        confidence: the panel's probability of its best outcome; null without a panel.
        decision_id: id of the decision; null while there is none.
    """

    id: Id
    attempt: int
    state: str
    rule: str
    reasons: list[Reason] | None
    margin: float | None
    confidence: float | None
    decision_id: Id | None


class ShownSuggestion(Wire):
    """What the panel suggested to whoever answered.

    Attributes:
        outcome: what it had found.
        how: shown, or randomised to a half.
        seen: it was in sight.
    """

    outcome: str
    how: Literal["shown", "randomised"]
    seen: bool


class AnswerCheck(Wire):
    """What a model said of an answer before it was sent.

    Attributes:
        choice: what was chosen before it spoke.
        candidate_id: id of the candidate that the choice was for; null where it was for none.
        at: when it was first asked, in epoch seconds.
        remarks: what it said may be wrong, each as kind, text and cites; empty where nothing, or where it was erased.
        reads: how often it read the answer.
        changed: the parts of the answer that were changed after that.
        before: each of these, as it was before; as it was sent it stands in the decision.
    """

    choice: str
    candidate_id: Id | None
    at: float
    remarks: list[CheckRemarkOut]
    reads: int
    changed: list[str]
    before: dict[str, Any]


class DecisionRow(Wire):
    """What a person decided.

    Attributes:
        id: its id.
        actor: who gave it.
        channel: where it was given.
        choice: one of the closed set of answers.
        candidate_id: id of the candidate that the choice is for; null where it is for none.
        principles: ids of the principles cited.
        flags: what is wrong with a candidate, by its id.
        scores: by criterion of the rubric; null where none were given.
        strength: how clear it was, from 1 to 3; null where nothing was said.
        evidence: the words that it points to, each with candidate, start, end, flag (null: of the reason) and quote.
        decided_at: when it was decided, in epoch seconds.
        undone_at: when it was taken back, in epoch seconds; null where it stands.
        carried_from: id of the decision of an earlier run that it repeats; null for none.
        suggestion: what the panel suggested, how it was shown, and whether it was seen; null without.
        checked: what was answered before a model read the answer, and what it said; null without.
        rationale: the reason that was written; null where none.
        guidance: what a redraft shall do; null where none.
        edit: the edited or written text; null where there is none.
        rankings: of a ranking, by the name of each question (empty where it has none), ids of the candidates, the best
            first; tied ones stand together. Empty of other decisions.
    """

    id: Id
    actor: str
    channel: str
    choice: str
    candidate_id: Id | None
    principles: list[str] | None
    flags: dict[str, list[str]] | None
    scores: dict[str, int] | None
    strength: int | None
    evidence: list[EvidenceOut]
    decided_at: float
    undone_at: float | None
    carried_from: Id | None
    suggestion: ShownSuggestion | None
    checked: AnswerCheck | None
    rationale: str | None
    guidance: str | None
    edit: str | None
    rankings: dict[str, list[list[Id]]]


class SetAsideRow(Wire):
    """A review that somebody skipped, declined or handed to a lead, with what they wrote.

    Attributes:
        id: its id.
        review_id: id of the review.
        actor: whose it was.
        state: skipped, declined or escalated.
        reason: why it was declined; null where it was not.
        closed_at: when it ended, in epoch seconds; null while it is open.
        choice: the vote that went along; null where none did.
        candidate_id: id of the candidate that the vote is for; null for none.
        rationale: what was written with it; null where nothing.
    """

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
    """A model call from the journal.

    Attributes:
        id: its id.
        role: which agent asked.
        seat: number of the judge and the order it was shown; empty for other agents.
        sample: number of the sample, from 0.
        round: the round of drafts, from 0.
        model: provider and name of the model.
        template: name of the prompt.
        outcome: how it ended.
        input_tokens: tokens of the request; null where not known.
        output_tokens: tokens of the answer; null where not known.
        cost: its price; null where not known.
        seconds: how long it took.
    """

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
    """Everything behind an item, each list in the order in which it came to be.

    Attributes:
        item: the item itself.
        run: the run that it is of.
        seed: the seed that it started from.
        law: what it was made under.
        candidates: drafts, revisions and given answers.
        critiques: what critics said.
        verdicts: what judges said.
        first_votes: what they had said before a debate, of those who voted again after it; no votes.
        not_asked: votes that nobody was asked for, since none could change what the panel ended the item with; no
            votes.
        shortlist: what judges scored candidates before some of them were shown; no votes.
        resolutions: what the resolver said.
        reviews: when it waited for a person.
        decisions: what people decided.
        set_aside: reviews that people skipped, declined or handed on.
        calls: the model calls behind all this.
    """

    record: RecordRow | None = Field(description="null while the item has none")
    item: ItemRow
    run: RunRow
    seed: SeedFacts
    law: PinnedTo
    seed_rubric: SeedRubricOut | None = Field(
        None, description="what judges went by in place of the rubric; null where the seed brought none"
    )
    confirmed_rubrics: list[ConfirmedRubricOut] = Field(
        default_factory=list, description="those that people confirmed for it, also where that was taken back"
    )
    candidates: list[CandidateRow]
    critiques: list[CritiqueRow]
    verdicts: list[VerdictRow]
    first_votes: list[VerdictRow]
    not_asked: list[VerdictRow]
    shortlist: list[VerdictRow]
    resolutions: list[ResolutionRow]
    reviews: list[ReviewRowOut]
    decisions: list[DecisionRow]
    set_aside: list[SetAsideRow]
    calls: list[CallRow]
