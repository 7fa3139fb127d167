"""certificates, the pilot sample and the scope of consensus versions"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certificates",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("alpha", sa.Float(), nullable=False),
        sa.Column("delta", sa.Float(), nullable=False),
        sa.Column("spent_delta", sa.Float(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("consensus_id", sa.String(length=64), nullable=False),
        sa.Column("covers", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("figures", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("suspended_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["consensus_id"], ["consensus_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_certificates_scope", "certificates", ["scope"])
    op.create_index("ix_certificates_created_at", "certificates", ["created_at"])
    with op.batch_alter_table("items") as batch_op:
        batch_op.add_column(sa.Column("pilot", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("certificate_id", sa.String(), nullable=True))
    with op.batch_alter_table("runs") as batch_op:
        batch_op.add_column(sa.Column("scope", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("records") as batch_op:
        batch_op.add_column(sa.Column("shown", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("consensus_versions") as batch_op:
        batch_op.add_column(sa.Column("scope", sa.String(), nullable=False, server_default=""))
        batch_op.create_index("ix_consensus_versions_scope", ["scope"])


def downgrade() -> None:
    with op.batch_alter_table("consensus_versions") as batch_op:
        batch_op.drop_index("ix_consensus_versions_scope")
        batch_op.drop_column("scope")
    with op.batch_alter_table("runs") as batch_op:
        batch_op.drop_column("scope")
    with op.batch_alter_table("records") as batch_op:
        batch_op.drop_column("shown")
    with op.batch_alter_table("items") as batch_op:
        batch_op.drop_column("certificate_id")
        batch_op.drop_column("pilot")
    op.drop_table("certificates")
