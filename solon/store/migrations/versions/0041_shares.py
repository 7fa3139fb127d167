"""records and votes keep the probability of every outcome"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

TABLES = ("records", "decisions")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("shares", sa.JSON(), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "shares")
