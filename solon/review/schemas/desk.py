"""What goes over the wire at a lead's desk: bulk decisions, similar items, proposals, exports, webhook deliveries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from solon.review.schemas import examples
from solon.review.schemas.examples import example
from solon.review.schemas.queue import Id, Wire


class BulkIn(Wire):
    """One answer to all reviews that fit the filters. Without `expected` it only counts; with it, so many reviews
    must still fit, or nothing is changed.

    Attributes:
        choice: the answer to all of them.
        rationale: the reason that each of them gets.
        reason: only reviews with this among their reasons.
        recipe: only reviews of this recipe.
        run: only reviews of the run with this id.
        judge: only reviews on which this judge gave a verdict.
        constitution: only reviews under this constitution.
        text: only reviews with these words in their request.
        min_margin: only reviews with at least this margin.
        max_margin: only reviews with at most this margin.
        expected: how many must still fit; null only counts.
    """

    choice: Literal["tie", "both_bad", "accept", "reject"]
    rationale: str = Field(
        min_length=1, max_length=2000, examples=["All of these cite a withdrawn guideline."]
    )
    reason: str | None = Field(None, max_length=200, pattern=r"\S")
    recipe: str | None = Field(None, max_length=200, pattern=r"\S")
    run: str | None = Field(None, max_length=200, pattern=r"\S")
    judge: str | None = Field(None, max_length=200, pattern=r"\S")
    constitution: str | None = Field(None, max_length=200, pattern=r"\S")
    text: str | None = Field(None, max_length=200, pattern=r"\S")
    min_margin: float | None = None
    max_margin: float | None = None
    expected: int | None = Field(None, ge=0, le=2**31)


class BulkOut(Wire, json_schema_extra=example(examples.BULK)):
    """What one answer to many reviews did, or would do.

    Attributes:
        dry_run: nothing was decided, only counted.
        fitting: how many reviews fit and may be decided so.
        decided: how many of these were decided; 0 in a dry run.
        left_out: how many more the filters fit, by why they are never decided so: audit, known, overlap,
            sample, held, begun, no_such_choice, over_the_limit.
    """

    dry_run: bool
    fitting: int
    decided: int
    left_out: dict[str, int]


class SimilarOut(Wire, json_schema_extra=example(examples.SIMILAR)):
    """A decided item that resembles another.

    Attributes:
        item: id of the item.
        prompt: the request, as it is shown.
        choice: what was decided there.
        rationale: the reason that was given.
        principles: ids of the principles that were cited.
        similarity: how alike the two requests are, 0 to 1.
    """

    item: Id
    prompt: str
    choice: str
    rationale: str
    principles: list[str]
    similarity: float


class ProposalOut(Wire, json_schema_extra=example(examples.PROPOSAL)):
    """A principle that a reviewer proposed with an answer.

    Attributes:
        id: its id.
        review: id of the review that it came with.
        item: id of the item.
        state: where it stands.
        text: the principle that is proposed.
        reason: why it was declined; empty before.
        amendment: id of the draft it became; null before.
        created_at: when it was made, in epoch seconds.
        closed_at: when it ended, in epoch seconds; null while it is open.
    """

    id: Id
    review: Id
    item: Id
    state: Literal["open", "taken", "declined", "withdrawn"]
    text: str
    reason: str
    amendment: Id | None
    created_at: float
    closed_at: float | None


class ProposalIn(Wire, json_schema_extra=example(examples.PROPOSAL_MARK)):
    """`reason`: why it was declined; its author reads it."""

    state: Literal["open", "taken", "declined"]
    reason: str = Field("", max_length=2000, examples=["The constitution says this already."])


class TakeUpIn(Wire):
    """Take a proposal up as a draft.

    Attributes:
        text: its wording; empty: the proposal's own.
        reason: why it should become law.
        name: id of the new principle; empty: from its first words.
        first: it stands before all other principles.
    """

    text: str = Field("", max_length=600, examples=["Names the interaction before the dose."])
    reason: str = Field(min_length=1, max_length=2000, examples=["Three reviewers asked for it."])
    name: str = Field("", max_length=60)
    first: bool = False


class TakenUp(Wire, json_schema_extra=example(examples.TAKEN_UP)):
    """The amendment that was drafted."""

    amendment: Id
    version: str
    warnings: list[str]


class ExportIn(Wire):
    """What to export; see `solon export`.

    Attributes:
        format: name of the format.
        run: only the run with this id; null: each item once, of all runs.
        recipe: only records of this recipe.
        all_runs: every record of every run.
        certified_only: without provisional records.
    """

    format: str = Field(max_length=60, examples=["trl-preference"])
    run: str | None = Field(None, max_length=64, pattern="^[0-9a-f]+$")
    recipe: str | None = Field(None, max_length=60)
    all_runs: bool = False
    certified_only: bool = False


class ExportFileOut(Wire):
    """A file of an export.

    Attributes:
        name: its name.
        rows: how many rows it holds.
        bytes: its size.
        sha256: the hash of its content.
    """

    name: str
    rows: int
    bytes: int
    sha256: str


class ExportResult(Wire):
    """What an export wrote.

    Attributes:
        files: the files that were written.
        written: how many records they hold.
        left_out: how many records were left out, by why.
        runs: how many records of each run they hold.
    """

    files: list[ExportFileOut]
    written: int
    left_out: dict[str, int]
    runs: dict[str, int] = Field(default_factory=dict)


class JobOut(Wire, json_schema_extra=example(examples.EXPORT_JOB)):
    """A job; the files of one that is done are at `/exports/{id}/files/{place}`, from 0, until the server ends.

    Attributes:
        id: its id.
        state: where it stands.
        asked: what is to be exported.
        result: what was written; null before it is done.
        problem: what went wrong; null where nothing did.
        created_at: when it was asked for, in epoch seconds.
        finished_at: when it ended, in epoch seconds; null before.
        bytes_so_far: what is written so far.
    """

    id: Id
    state: Literal["queued", "running", "done", "failed"]
    asked: ExportIn
    result: ExportResult | None
    problem: str | None
    created_at: float
    finished_at: float | None
    bytes_so_far: int = 0


class HookOut(Wire, json_schema_extra=example(examples.HOOK)):
    """An event told to a webhook, or on its way.

    Attributes:
        id: its id.
        event: name of the event.
        subject: id of what it is about.
        host: host of the address, and no more of it.
        created_at: when it happened, in epoch seconds.
        tries: how often it was sent.
        delivered_at: when it arrived, in epoch seconds; null before.
        given_up_at: when it was given up, in epoch seconds; null before.
        problem: why the last try failed; null where it did not.
    """

    id: Id
    event: str
    subject: Id
    host: str
    created_at: float
    tries: int
    delivered_at: float | None
    given_up_at: float | None
    problem: str | None


class TooFewOut(Wire, json_schema_extra=example(examples.TOO_FEW)):
    """Waiting reviews, by specialty and language, that fewer people can answer than are asked, two at least.

    Attributes:
        specialty: field of the reviews; null: any.
        lang: language of the reviews; null: any.
        reviews: how many wait.
        people: how many people can answer them: those who have the language and, where `match` is require, the field.
    """

    specialty: str | None
    lang: str | None
    reviews: int
    people: int
