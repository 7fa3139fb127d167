"""what a prompt quotes of texts that are stored already"""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("quoted", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("calls", "quoted")
