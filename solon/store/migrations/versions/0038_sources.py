"""a seed may be several items, and an item may be shown examples"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("items", sa.Column("examples", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("items", "examples")
    op.drop_column("items", "number")
