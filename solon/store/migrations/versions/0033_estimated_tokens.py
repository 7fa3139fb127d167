"""whether the tokens of a call were estimated, since the provider did not tell them"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("estimated", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("calls", "estimated")
