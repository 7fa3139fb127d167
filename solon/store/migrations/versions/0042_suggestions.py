"""reviews keep what the panel found best; turns and decisions keep which suggestion was seen"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

TABLES = ("assignments", "decisions")


def upgrade() -> None:
    op.add_column("reviews", sa.Column("best", sa.String(), nullable=True))
    for table in TABLES:
        op.add_column(table, sa.Column("suggestion", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "suggestion")
    op.drop_column("reviews", "best")
