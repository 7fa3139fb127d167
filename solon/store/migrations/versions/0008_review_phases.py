"""adjudication, known questions, the stages of a reviewer, proposals, webhooks and jobs"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=64), nullable=nullable)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(none_as_null=True), nullable=True)


def upgrade() -> None:
    with op.batch_alter_table("decisions") as batch_op:
        batch_op.add_column(_id("overruled_by", nullable=True))
    with op.batch_alter_table("experts") as batch_op:
        batch_op.add_column(sa.Column("stage", sa.String(), nullable=False, server_default="proven"))
        batch_op.add_column(sa.Column("acknowledged_at", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("email", sa.String(length=320), nullable=True))
        batch_op.add_column(sa.Column("subject", sa.String(length=400), nullable=True))
        batch_op.create_unique_constraint("uq_experts_subject", ["subject"])
    op.create_table(
        "adjudications",
        _id("id"),
        _id("item_id"),
        _id("review_id"),
        _id("content_hash"),
        sa.Column("state", sa.String(), nullable=False),
        _json("answers"),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("informed", sa.Boolean(), nullable=False),
        sa.Column("choice", sa.String(), nullable=True),
        _id("candidate_id", nullable=True),
        sa.Column("principle", sa.String(), nullable=True),
        _id("reason_id", nullable=True),
        sa.Column("decision_id", sa.String(), nullable=True),
        _json("soft"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"]),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"]),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"]),
        sa.ForeignKeyConstraint(["reason_id"], ["texts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_adjudications_item_id", "adjudications", ["item_id"])
    op.create_index("ix_adjudications_content_hash", "adjudications", ["content_hash"])
    op.create_index("ix_adjudications_state", "adjudications", ["state", "created_at", "id"])
    op.create_table(
        "adjudication_replies",
        _id("id"),
        _id("adjudication_id"),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("stance", sa.String(), nullable=False),
        _id("text_id", nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["adjudication_id"], ["adjudications.id"]),
        sa.ForeignKeyConstraint(["text_id"], ["texts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_adjudication_replies_adjudication_id", "adjudication_replies", ["adjudication_id"])
    op.create_table(
        "known_items",
        _id("id"),
        _id("item_id"),
        sa.Column("purpose", sa.String(), nullable=False),
        _id("content_hash"),
        sa.Column("response_schema", sa.String(), nullable=False),
        _json("candidates"),
        sa.Column("choice", sa.String(), nullable=True),
        _id("candidate_id", nullable=True),
        _id("reason_id", nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("retired_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"]),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"]),
        sa.ForeignKeyConstraint(["reason_id"], ["texts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_known_items_purpose", "known_items", ["purpose"])
    op.create_index("ix_known_items_content_hash", "known_items", ["content_hash"])
    op.create_table(
        "proposals",
        _id("id"),
        _id("review_id"),
        sa.Column("decision_id", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        _id("text_id"),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"]),
        sa.ForeignKeyConstraint(["text_id"], ["texts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_proposals_review_id", "proposals", ["review_id"])
    op.create_index("ix_proposals_state", "proposals", ["state"])
    op.create_table(
        "hook_deliveries",
        _id("id"),
        sa.Column("event", sa.String(), nullable=False),
        _id("subject"),
        sa.Column("hook", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("delivered_at", sa.Float(), nullable=True),
        sa.Column("given_up_at", sa.Float(), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_hook_deliveries_due", "hook_deliveries", ["delivered_at", "given_up_at", "due_at"]
    )
    op.create_index("ix_hook_deliveries_subject", "hook_deliveries", ["subject", "event"])
    op.create_table(
        "jobs",
        _id("id"),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        _json("asked"),
        _json("result"),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])


def downgrade() -> None:
    for table in ("jobs", "hook_deliveries", "proposals", "known_items", "adjudication_replies", "adjudications"):
        op.drop_table(table)
    with op.batch_alter_table("experts") as batch_op:
        batch_op.drop_constraint("uq_experts_subject", type_="unique")
        for column in ("subject", "email", "acknowledged_at", "stage"):
            batch_op.drop_column(column)
    with op.batch_alter_table("decisions") as batch_op:
        batch_op.drop_column("overruled_by")
