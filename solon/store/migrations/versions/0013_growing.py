"""indices for what is asked again and again while a store grows; none that another one begins with"""

from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

NEW = {
    "ix_outbox_pending": ("outbox", ["applied_at", "created_at"]),
    "ix_reviews_made": ("reviews", ["created_at", "id"]),
    "ix_reviews_of_run": ("reviews", ["run_id", "created_at", "id"]),
    "ix_reviews_order": ("reviews", ["state", "priority", "created_at", "id"]),
}
OLD = {
    "ix_outbox_applied_at": ("outbox", ["applied_at"]),
    "ix_reviews_run": ("reviews", ["run_id"]),
    "ix_calls_run_id": ("calls", ["run_id"]),
    "ix_assignments_review_id": ("assignments", ["review_id"]),
    "ix_assignments_actor": ("assignments", ["actor"]),
}


def _replace(old: dict[str, tuple[str, list[str]]], new: dict[str, tuple[str, list[str]]]) -> None:
    for name, (table, _) in old.items():
        op.drop_index(name, table_name=table)
    for name, (table, columns) in new.items():
        op.create_index(name, table, columns)


def upgrade() -> None:
    _replace(OLD, NEW)


def downgrade() -> None:
    _replace(NEW, OLD)
