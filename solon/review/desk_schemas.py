"""What goes over the wire at a lead's desk: bulk decisions, similar items, proposals, exports, webhook deliveries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from solon.review.schemas import Id, Wire


class BulkIn(Wire):
    """Without `expected` it only counts. With it, so many reviews must still fit, or nothing is changed."""

    choice: Literal["tie", "both_bad", "accept", "reject"]
    rationale: str = Field(
        min_length=1, max_length=2000, examples=["All of these cite a withdrawn guideline."]
    )
    reason: str | None = Field(None, max_length=200)
    recipe: str | None = Field(None, max_length=200)
    run: str | None = Field(None, max_length=200)
    judge: str | None = Field(None, max_length=200)
    text: str | None = Field(None, max_length=200)
    min_margin: float | None = None
    max_margin: float | None = None
    expected: int | None = Field(None, ge=0, le=2**31)


class BulkOut(Wire):
    """`fitting` reviews; `decided` of them, none in a dry run."""

    dry_run: bool
    fitting: int
    decided: int


class SimilarOut(Wire):
    item: Id
    prompt: str
    choice: str
    rationale: str
    principles: list[str]
    similarity: float


class ProposalOut(Wire):
    """A principle that a reviewer proposed with an answer."""

    id: Id
    review: Id
    item: Id
    state: Literal["open", "taken", "declined"]
    text: str
    created_at: float


class ProposalIn(Wire):
    state: Literal["open", "taken", "declined"]


class ExportIn(Wire):
    """What to export; see `solon export`."""

    format: str = Field(max_length=60, examples=["trl-preference"])
    run: str | None = Field(None, max_length=64, pattern="^[0-9a-f]+$")
    recipe: str | None = Field(None, max_length=60)
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


class JobOut(Wire):
    """A job; the files of one that is done are at `/exports/{id}/files/{place}`, from 0, until the server ends."""

    id: Id
    state: Literal["queued", "running", "done", "failed"]
    asked: ExportIn
    result: ExportResult | None
    problem: str | None
    created_at: float
    finished_at: float | None


class HookOut(Wire):
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


class TooFewOut(Wire):
    """Waiting reviews that fewer than two people can answer by their specialties and languages."""

    specialty: str | None
    lang: str | None
    reviews: int
    people: int
