"""turns and decisions keep what was answered before a model's check of it, and what the check said"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0042"
branch_labels = None
depends_on = None

TABLES = ("assignments", "decisions")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("checked", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "checked")
