"""what a model wrote beside its answer, with the call"""

from alembic import op

revision = "0031"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In plain SQL, which both databases take: alembic would copy the whole table in SQLite for the sake of the key.
    op.execute("ALTER TABLE calls ADD COLUMN reasoning_id VARCHAR(64) REFERENCES texts (id)")


def downgrade() -> None:
    op.execute("ALTER TABLE calls DROP COLUMN reasoning_id")
