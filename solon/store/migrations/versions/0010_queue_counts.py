"""what a lead made of a proposal; indices by which the queue and answers are counted"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("proposals") as batch_op:
        batch_op.add_column(sa.Column("amendment_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("reason_id", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("closed_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("closed_at", sa.Float(), nullable=True))
        batch_op.create_foreign_key("fk_proposals_reason", "texts", ["reason_id"], ["id"])
    op.create_index("ix_reviews_counts", "reviews", ["state", "leased", "escalated", "kind"])
    op.create_index("ix_decisions_answers", "decisions", ["actor", "undone_at", "decided_at"])
    op.create_index("ix_assignments_decision", "assignments", ["decision_id"])


def downgrade() -> None:
    op.drop_index("ix_assignments_decision", table_name="assignments")
    op.drop_index("ix_decisions_answers", table_name="decisions")
    op.drop_index("ix_reviews_counts", table_name="reviews")
    with op.batch_alter_table("proposals") as batch_op:
        batch_op.drop_constraint("fk_proposals_reason", type_="foreignkey")
        for column in ("closed_at", "closed_by", "reason_id", "amendment_id"):
            batch_op.drop_column(column)
