"""decisions keep the words that they point to"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("decisions", sa.Column("evidence", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("decisions", "evidence")
