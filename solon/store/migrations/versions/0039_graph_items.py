"""items that a graph of one's own opened"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "graph_items",
        sa.Column("item_id", sa.String(64), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("visit", sa.String(64), nullable=False),
        sa.Column("thread", sa.String(), nullable=True),
    )
    op.create_index("uq_graph_items_place", "graph_items", ["place", "ordinal"], unique=True)


def downgrade() -> None:
    op.drop_table("graph_items")
