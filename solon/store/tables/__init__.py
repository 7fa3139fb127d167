"""All tables of the store, one module per theme. Times are seconds since the epoch (UTC), money is in the run's
currency, ids are hexadecimal hashes. Every text lies in `texts`; other tables point to it. Imports nothing of Solon."""

from sqlalchemy import Table
from sqlmodel import SQLModel

from solon.store.tables.amendments import Amendment, Trial, Vote
from solon.store.tables.disputes import Adjudication, HookDelivery, Job, Known, Proposal, Reply
from solon.store.tables.experts import AuditEntry, Expert, LoginLink, Session
from solon.store.tables.law import (
    Carry,
    Certificate,
    ConsensusVersion,
    Constitution,
    Precedent,
    Rubric,
    RuleBook,
)
from solon.store.tables.people import Assignment, Decision, Event, Outbox, Review
from solon.store.tables.privacy import Hold, Tombstone
from solon.store.tables.releases import ReleaseSet
from solon.store.tables.runs import (
    Call,
    ConfigVersion,
    GraphItem,
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


def table_of(model: type[SQLModel]) -> Table:
    """The table that a model describes."""
    return metadata.tables[str(model.__tablename__)]


adjudication_replies = table_of(Reply)
adjudications = table_of(Adjudication)
amendment_trials = table_of(Trial)
amendment_votes = table_of(Vote)
amendments = table_of(Amendment)
assignments = table_of(Assignment)
audit_log = table_of(AuditEntry)
calls = table_of(Call)
candidates = table_of(Candidate)
carries = table_of(Carry)
certificates = table_of(Certificate)
configs = table_of(ConfigVersion)
consensus_versions = table_of(ConsensusVersion)
constitutions = table_of(Constitution)
critiques = table_of(Critique)
decisions = table_of(Decision)
events = table_of(Event)
experts = table_of(Expert)
fingerprints = table_of(Fingerprint)
graph_items = table_of(GraphItem)
graph_versions = table_of(GraphVersion)
hook_deliveries = table_of(HookDelivery)
items = table_of(Item)
jobs = table_of(Job)
known_items = table_of(Known)
login_links = table_of(LoginLink)
meta = table_of(Meta)
outbox = table_of(Outbox)
precedents = table_of(Precedent)
privacy_holds = table_of(Hold)
prompt_sets = table_of(PromptSet)
proposals = table_of(Proposal)
records = table_of(Record)
release_sets = table_of(ReleaseSet)
resolutions = table_of(Resolution)
reviews = table_of(Review)
rubrics = table_of(Rubric)
rule_books = table_of(RuleBook)
runs = table_of(Run)
seeds = table_of(Seed)
sessions = table_of(Session)
spending = table_of(Spending)
texts = table_of(Text)
tombstones = table_of(Tombstone)
verdicts = table_of(Verdict)
