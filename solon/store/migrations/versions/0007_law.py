"""records name the law that they were accepted under; items that are judged again keep their candidates"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LAWS = ("constitution_id", "rubric_id")


def upgrade() -> None:
    with op.batch_alter_table("records") as batch_op:
        for law in LAWS:
            batch_op.add_column(sa.Column(law, sa.String(length=64), nullable=True))
    for law in LAWS:
        op.execute(
            f"UPDATE records SET {law} = (SELECT items.{law} FROM items WHERE items.id = records.item_id)"
        )
    with op.batch_alter_table("items") as batch_op:
        batch_op.add_column(sa.Column("carried", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("items") as batch_op:
        batch_op.drop_column("carried")
    with op.batch_alter_table("records") as batch_op:
        for law in LAWS:
            batch_op.drop_column(law)
