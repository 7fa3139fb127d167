"""what a run's calls took is kept with the run; failed calls, unused candidates and carried answers are in indexes"""

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("spent", sa.JSON(none_as_null=True), nullable=True))
    failed = sa.text("outcome != 'ok'")
    op.create_index("ix_calls_failed", "calls", ["run_id"], sqlite_where=failed, postgresql_where=failed)
    unused = sa.text("kind NOT IN ('draft', 'given', 'revision', 'edit', 'merged')")
    op.create_index(
        "ix_candidates_unused", "candidates", ["item_id"], sqlite_where=unused, postgresql_where=unused
    )
    op.drop_index("ix_decisions_answers", "decisions")
    op.create_index("ix_decisions_answers", "decisions", ["actor", "undone_at", "decided_at", "carried_from"])


def downgrade() -> None:
    op.drop_index("ix_decisions_answers", "decisions")
    op.create_index("ix_decisions_answers", "decisions", ["actor", "undone_at", "decided_at"])
    op.drop_index("ix_candidates_unused", "candidates")
    op.drop_index("ix_calls_failed", "calls")
    op.drop_column("runs", "spent")
