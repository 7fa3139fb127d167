"""items whose seeds were forgotten have a state of their own; they stood among the rejected ones"""

from alembic import op

revision = "0026"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE items SET state = 'forgotten' WHERE state = 'rejected' AND reason = 'forgotten'")


def downgrade() -> None:
    op.execute("UPDATE items SET state = 'rejected' WHERE state = 'forgotten'")
