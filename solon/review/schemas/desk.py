"""What goes over the wire at a lead's desk: bulk decisions, similar items, proposals, exports, webhook deliveries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from solon.review.schemas import examples
from solon.review.schemas.examples import example
from solon.review.schemas.queue import Id, Wire


class BulkIn(Wire):
    """Without `expected` it only counts. With it, so many reviews must still fit, or nothing is changed."""

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
    """`fitting` reviews; `decided` of them, none in a dry run. `left_out`: how many more the filters fit, by why they
    are never decided so: audit, known, overlap, sample, held, begun, no_such_choice, over_the_limit."""

    dry_run: bool
    fitting: int
    decided: int
    left_out: dict[str, int]


class SimilarOut(Wire, json_schema_extra=example(examples.SIMILAR)):
    item: Id
    prompt: str
    choice: str
    rationale: str
    principles: list[str]
    similarity: float


class ProposalOut(Wire, json_schema_extra=example(examples.PROPOSAL)):
    """A principle that a reviewer proposed with an answer."""

    id: Id
    review: Id
    item: Id
    state: Literal["open", "taken", "declined"]
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
    """Take a proposal up as a draft. Without `text` it is the proposal's own; `first`: before all other principles."""

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
    """What to export; see `solon export`. Without `run` each item once, of all runs; `all_runs`: every record."""

    format: str = Field(max_length=60, examples=["trl-preference"])
    run: str | None = Field(None, max_length=64, pattern="^[0-9a-f]+$")
    recipe: str | None = Field(None, max_length=60)
    all_runs: bool = False
    certified_only: bool = False


class ExportFileOut(Wire):
    name: str
    rows: int
    bytes: int
    sha256: str


class ExportResult(Wire):
    files: list[ExportFileOut]
    written: int
    left_out: dict[str, int]
    runs: dict[str, int] = Field(default_factory=dict)


class JobOut(Wire, json_schema_extra=example(examples.EXPORT_JOB)):
    """A job; the files of one that is done are at `/exports/{id}/files/{place}`, from 0, until the server ends."""

    id: Id
    state: Literal["queued", "running", "done", "failed"]
    asked: ExportIn
    result: ExportResult | None
    problem: str | None
    created_at: float
    finished_at: float | None
    bytes_so_far: int = 0


class HookOut(Wire, json_schema_extra=example(examples.HOOK)):
    """An event told to a webhook, or on its way. `host` only: an address may hold a secret."""

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
    """Waiting reviews that fewer people can answer by specialty and language than are asked, two at least."""

    specialty: str | None
    lang: str | None
    reviews: int
    people: int
