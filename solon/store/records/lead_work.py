"""What waits for a lead: questions that people differ in, reviews handed over, proposals, drafts of law to vote on."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from solon.store.reviewing.adjudicating import answered_by
from solon.store.reviewing.review_rows import PERSONAL
from solon.store.tables import adjudications, amendments, proposals, reviews
from solon.store.tables import amendment_votes as votes


@dataclass(frozen=True, slots=True)
class LeadWork:
    """How much waits for one lead.

    Attributes:
        cases: questions that people differ in and that this lead may settle.
        own_cases: those in which one of the answers is this lead's, so that another lead has to settle them.
        escalated: reviews that were handed over to leads and have no answer yet, those in a lead's hands among them.
        proposals: principles that reviewers proposed and nobody has looked at.
        drafts: drafts of law that this lead may measure or vote on.
    """

    cases: int
    own_cases: int
    escalated: int
    proposals: int
    drafts: int


def count_lead_work(connection: Connection, actor: str) -> LeadWork:
    """Return how much waits for a lead, in one statement that follows indexes."""
    is_open = adjudications.c.state == "open"
    mine = answered_by(actor)
    voted = select(votes.c.amendment_id).where(votes.c.actor == actor)
    handed_over = (
        reviews.c.state == "waiting",
        reviews.c.leased.in_((False, True)),  # both, so that the index is followed to the next column
        reviews.c.escalated.is_(True),
        reviews.c.kind.not_in(PERSONAL),
    )
    to_vote_on = (
        amendments.c.state.in_(("drafted", "measured")),
        amendments.c.proposer != actor,
        amendments.c.id.not_in(voted),
    )
    counts = {
        "cases": (adjudications, (is_open, ~mine)),
        "own_cases": (adjudications, (is_open, mine)),
        "escalated": (reviews, handed_over),
        "proposals": (proposals, (proposals.c.state == "open",)),
        "drafts": (amendments, to_vote_on),
    }
    parts = [
        select(func.count()).select_from(table).where(*wanted).scalar_subquery().label(name)
        for name, (table, wanted) in counts.items()
    ]
    return LeadWork(
        **{name: int(n) for name, n in connection.execute(select(*parts)).mappings().one().items()}
    )
