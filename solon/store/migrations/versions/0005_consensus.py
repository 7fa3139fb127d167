"""selection and reviewers' votes"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FREE = ["state", "leased", "escalated"]
QUEUE = {
    "ix_reviews_next": [*FREE, "specialty", "lang"],
    "ix_reviews_specialty": [*FREE, "specialty"],
    "ix_reviews_prefer": [*FREE, "prefer_actor"],
}


def upgrade() -> None:
    with op.batch_alter_table("reviews") as batch_op:
        batch_op.add_column(sa.Column("value", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("minutes", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("priority", sa.Float(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("inclusion", sa.Float(), nullable=True))
    for name, columns in QUEUE.items():
        op.drop_index(name, table_name="reviews")
        op.create_index(name, "reviews", [*columns, "priority", "created_at", "id"])
    op.drop_index("ix_reviews_oldest", table_name="reviews")
    op.create_index("ix_reviews_first", "reviews", [*FREE, "priority", "created_at", "id"])
    with op.batch_alter_table("decisions") as batch_op:
        batch_op.add_column(sa.Column("confidence", sa.Float(), nullable=True))
    with op.batch_alter_table("experts") as batch_op:
        batch_op.add_column(sa.Column("trust", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("measured", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("experts") as batch_op:
        batch_op.drop_column("measured")
        batch_op.drop_column("trust")
    with op.batch_alter_table("decisions") as batch_op:
        batch_op.drop_column("confidence")
    op.drop_index("ix_reviews_first", table_name="reviews")
    for name in QUEUE:
        op.drop_index(name, table_name="reviews")
    with op.batch_alter_table("reviews") as batch_op:
        for name in ("inclusion", "priority", "minutes", "value"):
            batch_op.drop_column(name)
    op.create_index("ix_reviews_oldest", "reviews", [*FREE, "created_at", "id"])
    for name, columns in QUEUE.items():
        op.create_index(name, "reviews", [*columns, "created_at", "id"])
