"""what a model wrote beside its answer, with the call"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("reasoning_id", sa.String(64), nullable=True))
        calls.create_foreign_key("fk_calls_reasoning_id_texts", "texts", ["reasoning_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("calls") as calls:
        calls.drop_constraint("fk_calls_reasoning_id_texts", type_="foreignkey")
        calls.drop_column("reasoning_id")
