"""resolutions of what is said of one text"""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("resolutions", sa.Column("outcome", sa.String(length=200), nullable=True))


def downgrade() -> None:
    op.drop_column("resolutions", "outcome")
