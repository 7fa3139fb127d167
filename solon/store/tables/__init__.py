"""All tables of the store, one module per theme. Times are seconds since the epoch (UTC), money is in the run's
currency, ids are hexadecimal hashes. Every text lies in `texts`; other tables point to it."""

from sqlmodel import SQLModel

from solon.store.tables.amendments import Amendment, Trial, Vote
from solon.store.tables.disputes import Adjudication, HookDelivery, Job, Known, Proposal, Reply
from solon.store.tables.experts import AuditEntry, Expert, LoginLink, Session
from solon.store.tables.law import Certificate, ConsensusVersion, Constitution, Precedent, Rubric
from solon.store.tables.people import Assignment, Decision, Event, Outbox, Review
from solon.store.tables.privacy import Hold, Tombstone
from solon.store.tables.runs import (
    Call,
    ConfigVersion,
    GraphVersion,
    Item,
    Meta,
    PromptSet,
    Run,
    Seed,
    Spending,
    Text,
)
from solon.store.tables.work import Candidate, Critique, Fingerprint, Record, Resolution, Verdict

metadata = SQLModel.metadata

__all__ = [
    "Adjudication",
    "Amendment",
    "Assignment",
    "AuditEntry",
    "Call",
    "Candidate",
    "Certificate",
    "ConfigVersion",
    "ConsensusVersion",
    "Constitution",
    "Critique",
    "Decision",
    "Event",
    "Expert",
    "Fingerprint",
    "GraphVersion",
    "Hold",
    "HookDelivery",
    "Item",
    "Job",
    "Known",
    "LoginLink",
    "Meta",
    "Outbox",
    "Precedent",
    "PromptSet",
    "Proposal",
    "Record",
    "Reply",
    "Resolution",
    "Review",
    "Rubric",
    "Run",
    "Seed",
    "Session",
    "Spending",
    "Text",
    "Tombstone",
    "Trial",
    "Verdict",
    "Vote",
    "metadata",
]
