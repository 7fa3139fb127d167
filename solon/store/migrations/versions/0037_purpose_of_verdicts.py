"""what a verdict was asked for, so that scores of a shortlist are told from votes"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verdicts", sa.Column("purpose", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("verdicts") as table:
        table.drop_column("purpose")
