"""a drafted task has an input of its own"""

from alembic import op

revision = "0035"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added in place: a batch would copy the whole table.
    op.execute("ALTER TABLE candidates ADD COLUMN input_text_id VARCHAR(64) REFERENCES texts (id)")


def downgrade() -> None:
    op.execute("ALTER TABLE candidates DROP COLUMN input_text_id")
