"""The neutral row that every export format is written from. Imports nothing of Solon."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

Route = Literal["consensus", "resolved", "redrafted", "voted", "decided"]


def plain_model(name: str) -> str:
    """Return a model's name as others may read it: without the folders of a local file."""
    provider, colon, rest = name.partition(":")
    local = colon and (rest.startswith(("/", "~", ".")) or "\\" in rest)
    return f"{provider}:{PurePath(rest.replace(chr(92), '/')).name}" if local else name


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One finished record with everything that a format may want to write.

    Attributes:
        id: the record's id.
        recipe: name of the recipe that made it, e.g. `preference`, `instruction`.
        seed_id: id of the seed.
        prompt: the last user turn as text.
        messages: the conversation up to and including that turn; turns of tools as the seed gave them.
        input: what the request speaks of (a text, a list, ...), with which that turn ends; empty where there is
            nothing.
        group: the seed's group; empty: the seed is its own group.
        lang: language that the seed states; None where it states none.
        chosen: text of the better answer of a pair; None where the record has no pair (tie, single recipes).
        rejected: text of the worse answer of a pair; None with `chosen`.
        response: text of a single recipe, as an expert edited it; None for pairs. Beside an edited one `chosen` is the
            same text and `rejected` what it mends.
        label: what the record says, e.g. `prefer`, `tie`, `edit`, or the label of a label recipe, whose text
            is `response`.
        margin: by how much the panel's probability of what the record says leads that of the next outcome, in [-1, 1]:
            below 0 where a person decided against the panel; None without a panel, and where it never saw the chosen
            text (an edit).
        confidence: probability in [0, 1] that an expert would agree; None where there is none.
        soft_label: probability in [0, 1] that `chosen` is the better one (.5 for a tie), or of the label; None where
            there is none.
        shares: label -> its probability by the panel (by panel and votes, where these settled it; the share of people
            where they stay divided), in the order of the labels; None of what is no label, and where nobody weighed it.
        outcome: `accepted`, or why it is not data: `tie`, `label`, `rejected`, `stale`, `disputed`, `contradicted`,
            `pending`, ...
        route: how it was settled.
        provisional: accepted while no certificate was in force.
        flags: what experts flagged on the chosen text or response (unsafe, factually wrong, ...).
        flagged_candidates: ids of all candidates of the item that carry a flag.
        source: where the seed is from, as it was given; so `licence` and `consent`.
        licence: of the seed.
        consent: to the use of the seed.
        faults: where a critic found major or fatal faults: `chosen` (also of a single response) and
            `rejected` -> [start, end] in characters of that text, [-1, -1] where the critic quoted nothing. A
            text without an entry was not criticised as it stands (a revision, an edit).
        evidence: where experts pointed: `chosen` (also of a single response) and `rejected` -> start and end in
            characters of that text, and the flag that it is the evidence of (None: of the reason). Of a
            dialogue `turn` says in which of its turns they stand, from 1, and start and end are places in that turn.
        reference: a good answer that came with the seed; None where none did.
        given: what came with the answers that the seed brought: `chosen` (also of a single response) and
            `rejected` -> model, source, scores and other facts; empty for texts that were drafted. Of a tie `A` and
            `B`, as they were shown -> the same and `text`, drafted or not; `withheld` where it was flagged.
        fields: what the form of a label recipe said beside the label.
        lineage: ids of calls, prompt versions, models, constitution, rubric and consensus versions, decision
            id, pseudonymous actor; `principles`: by which the texts were made, where a revision, or an answer that
            follows or breaks one, is among them; `contrast`: `chosen` and `rejected` -> the `principle` that this
            answer was `asked_to` follow or break; `scores`: of texts that the panel scored, `chosen` (also of a
            single response) and `rejected` -> `score` (mean by the rubric's weights) and `scores` by criterion;
            `quotes`: of the answer's quotations that stand in `input`, `start` and `end` in the answer, `source` (start
            and end in the input), `differs` (what is spelt otherwise there), and of a passage `document` and
            `in_document`; `constraints`: the `kind` of each that its row states, and whether the answer `kept`
            it (None where no check is known);
            `descent`: of a task that was drafted beside examples its `generation` (1: made of a seed), and how many
            `seeds` and `records` its drafts were shown; `drawn`: the operator, persona and attributes that were drawn
            for it, and of a dialogue its `turns` (answers) and, unless a person edited it, by what it `ended`;
            `ranking`: of a pair of a ranking its `weight` and the name of its `question`; `fix`: of a text that a
            model proposed a fix for, whether this was `taken`, `edited` or left aside (`kept`); `seed_rubric` and
            `criteria`: where judges went by a rubric that the seed brought, its version and its criteria with `id`,
            `name`, `text` and `weight`.
        metadata: further columns of the seed.
    """

    id: str
    recipe: str
    seed_id: str
    prompt: str
    messages: list[dict[str, Any]]
    group: str = ""
    lang: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    response: str | None = None
    label: str | None = None
    margin: float | None = None
    confidence: float | None = None
    soft_label: float | None = None
    shares: dict[str, float] | None = None
    outcome: str = "accepted"
    route: Route = "consensus"
    provisional: bool = False
    flags: tuple[str, ...] = ()
    flagged_candidates: tuple[str, ...] = ()
    source: str | None = None
    licence: str | None = None
    consent: str | None = None
    faults: dict[str, list[list[int]]] = field(default_factory=dict)
    evidence: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    reference: str | None = None
    given: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    input: str = ""

    @property
    def answer(self) -> str | None:
        """The one text to learn from: the response of a single recipe, else the chosen of a pair."""
        return self.response if self.response is not None else self.chosen

    @property
    def has_pair(self) -> bool:
        """Whether the record has both texts of a pair."""
        return self.chosen is not None and self.rejected is not None

    @property
    def weight(self) -> float | None:
        """How far to trust the label, in [0, 1]: 1 where a person decided, else the panel's confidence; of a pair of a
        ranking, all of whose pairs are one judgement, its share of that."""
        trusted = 1.0 if self.route == "decided" else self.confidence
        share = self._ranking.get("weight", 1.0)
        return None if trusted is None else trusted * share

    @property
    def question(self) -> str | None:
        """The name of the question by which the answers were ranked; None where it has none."""
        return self._ranking.get("question")

    @property
    def _ranking(self) -> dict[str, Any]:
        return self.lineage.get("ranking") or {}

    @property
    def score_chosen(self) -> float | None:
        """The panel's mean score of the chosen text on the rubric; None where it did not score it."""
        return self._score("chosen")

    @property
    def score_rejected(self) -> float | None:
        """The same of the rejected text."""
        return self._score("rejected")

    @property
    def score_margin(self) -> float | None:
        """By how much the chosen text was scored higher than the rejected one; None where one was not scored."""
        chosen, rejected = self.score_chosen, self.score_rejected
        return None if chosen is None or rejected is None else round(chosen - rejected, 6)

    def _score(self, side: str) -> float | None:
        found = (self.lineage.get("scores") or {}).get(side)
        return None if found is None else float(found["score"])

    @property
    def annotator(self) -> str | None:
        """Who decided, under a pseudonym that only this store can make; None where the panel did."""
        return self.lineage.get("decided_by")

    @property
    def split_group(self) -> str:
        """What must stay on one side of a train/test split."""
        return self.group or self.seed_id


@dataclass(frozen=True, slots=True)
class Completion:
    """A candidate with what the panel scored it on the rubric.

    Attributes:
        id: the candidate's id.
        model: who or what wrote it.
        text: its text.
        score: the mean by the weights of the rubric.
        scores: criterion -> mean over the judges.
    """

    id: str
    model: str
    text: str
    score: float
    scores: dict[str, float]


LONGEST_QUOTE, LONGEST_SUGGESTION = 160, 200
"""Characters of an answer that a finding quotes at most, and of what it says would be better."""


@dataclass(frozen=True, slots=True)
class CritiqueOf:
    """What a critic found on a text.

    Attributes:
        text: the text as the critic read it.
        findings: a line each, the severity first; empty where nothing was found.
        accepted: it is the accepted text of its record.
        revision: the accepted text, where that is what this one was revised into; else None.
    """

    text: str
    findings: tuple[str, ...]
    accepted: bool = False
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class ScoredRow(ExportRow):
    """A record with what panel and critics said beside it.

    Attributes:
        completions: all candidates of its request that the panel scored, in the order in which they were made.
        critiques: of its texts, and of the one that the accepted text revises; only of those that a critic read.
    """

    completions: tuple[Completion, ...] = ()
    critiques: tuple[CritiqueOf, ...] = ()
