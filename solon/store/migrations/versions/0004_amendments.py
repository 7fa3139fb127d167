"""amendments, their trials and votes; one version of a law in force"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LAWS = ("constitutions", "rubrics")
IN_FORCE = sa.text("status = 'in_force'")


def upgrade() -> None:
    for law in LAWS:
        with op.batch_alter_table(law) as batch_op:
            batch_op.add_column(sa.Column("superseded_at", sa.Float(), nullable=True))
        # Runs used to pin whatever file the configuration named: of each name the newest is the one in force.
        op.execute(
            f"UPDATE {law} SET status = 'superseded', superseded_at = in_force_at WHERE EXISTS ("
            f"SELECT 1 FROM {law} AS newer WHERE newer.name = {law}.name AND newer.scope = {law}.scope AND ("
            f"newer.created_at > {law}.created_at OR (newer.created_at = {law}.created_at AND newer.id > {law}.id)))"
        )
        op.create_index(
            f"uq_{law}_in_force",
            law,
            ["name", "scope"],
            unique=True,
            sqlite_where=IN_FORCE,
            postgresql_where=IN_FORCE,
        )
    with op.batch_alter_table("precedents") as batch_op:
        batch_op.add_column(sa.Column("retrievable_at", sa.Float(), nullable=True))
    op.create_table(
        "amendments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("base_id", sa.String(length=64), nullable=False),
        sa.Column("document_id", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("proposer", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("cites", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("overrules", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("warnings", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("impact", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("measured_at", sa.Float(), nullable=True),
        sa.Column("closed_at", sa.Float(), nullable=True),
        sa.Column("stale_records", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_amendments_name", "amendments", ["name"])
    op.create_index("ix_amendments_state", "amendments", ["state"])
    op.create_table(
        "amendment_trials",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("amendment_id", sa.String(length=64), nullable=False),
        sa.Column("precedent_id", sa.String(length=64), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("decided", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("again", sa.String(), nullable=True),
        sa.Column("margin_before", sa.Float(), nullable=False),
        sa.Column("margin_after", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["amendment_id"], ["amendments.id"]),
        sa.ForeignKeyConstraint(["precedent_id"], ["precedents.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_amendment_trials_amendment", "amendment_trials", ["amendment_id", "part"])
    op.create_index("ix_amendment_trials_precedent_id", "amendment_trials", ["precedent_id"])
    op.create_table(
        "amendment_votes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("amendment_id", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("choice", sa.String(), nullable=False),
        sa.Column("override", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["amendment_id"], ["amendments.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_amendment_votes_amendment_id", "amendment_votes", ["amendment_id"])


def downgrade() -> None:
    op.drop_table("amendment_votes")
    op.drop_table("amendment_trials")
    op.drop_table("amendments")
    with op.batch_alter_table("precedents") as batch_op:
        batch_op.drop_column("retrievable_at")
    for law in LAWS:
        op.drop_index(f"uq_{law}_in_force", table_name=law)
        with op.batch_alter_table(law) as batch_op:
            batch_op.drop_column("superseded_at")
