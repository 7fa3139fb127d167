"""a ranking makes several records, each with its weight and question"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("records", sa.Column("place", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("records", sa.Column("weight", sa.Float(), nullable=True))
    op.add_column("records", sa.Column("question", sa.String(), nullable=True))


def downgrade() -> None:
    for name in ("question", "weight", "place"):
        op.drop_column("records", name)
