"""openings of prompts, stored once, and tokens from caches; decisions by time, and those of one person on one question"""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE calls ADD COLUMN opening_id VARCHAR(64) REFERENCES texts (id)")
    op.add_column("calls", sa.Column("cached_tokens", sa.Integer(), nullable=True))
    op.create_index("ix_decisions_newest", "decisions", ["decided_at"])
    stands = sa.text("undone_at IS NULL")
    op.create_index(
        "ix_decisions_again",
        "decisions",
        ["actor", "content_hash"],
        sqlite_where=stands,
        postgresql_where=stands,
    )


def downgrade() -> None:
    op.drop_index("ix_decisions_again", "decisions")
    op.drop_index("ix_decisions_newest", "decisions")
    op.drop_column("calls", "cached_tokens")
    op.execute("ALTER TABLE calls DROP COLUMN opening_id")
