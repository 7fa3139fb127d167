"""what is said of a promise finds its few questions by an index: the pilot, and reviews that measure or were drawn"""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_items_pilot",
        "items",
        ["run_id", "random_seed", "id"],
        sqlite_where=sa.text("pilot = 1"),
        postgresql_where=sa.text("pilot"),
    )
    drawn = sa.text("kind != 'interrupt' OR inclusion < 1.0")
    op.create_index(
        "ix_reviews_drawn", "reviews", ["run_id", "item_id"], sqlite_where=drawn, postgresql_where=drawn
    )


def downgrade() -> None:
    op.drop_index("ix_reviews_drawn", "reviews")
    op.drop_index("ix_items_pilot", "items")
