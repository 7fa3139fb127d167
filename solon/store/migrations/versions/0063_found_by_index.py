"""what waits, gives orders, was carried over, taken out or scored is found by indexes of just that"""

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_reviews_waiting": (
        "reviews",
        ["run_id", "kind", "rule", "minutes", "state"],
        "state = 'waiting'",
    ),
    "ix_reviews_rubrics": ("reviews", ["run_id", "state"], "response_schema = 'rubric@1'"),
    "ix_reviews_orders": (
        "reviews",
        ["run_id", "state"],
        """CAST(reasons AS VARCHAR) LIKE '%"code": "injection"%'""",
    ),
    "ix_decisions_carried": ("decisions", ["item_id"], "carried_from IS NOT NULL"),
    "ix_events_taken_out": ("events", ["subject"], "kind IN ('doubted', 'turned')"),
    "ix_verdicts_scored": ("verdicts", ["a_id"], "scores IS NOT NULL"),
}


def upgrade() -> None:
    for name, (table, columns, words) in INDEXES.items():
        where = sa.text(words)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table)
