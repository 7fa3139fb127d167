"""openings of prompts, stored once"""

from alembic import op

revision = "0059"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE calls ADD COLUMN opening_id VARCHAR(64) REFERENCES texts (id)")


def downgrade() -> None:
    op.execute("ALTER TABLE calls DROP COLUMN opening_id")
