"""the row that an item came from and the pair of a record, by which they are the same in every run

The pairs' keys are filled in by 0036.
"""

import json

import sqlalchemy as sa
from alembic import op
from solon.store.runs.row_keys import RowKeys

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

CHUNK = 1000


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns))


items = _table("items", "id", "run_id", "seed_id", "recipe", "position", "state", "row_key")
seeds = _table("seeds", "id", "text_id")
texts = _table("texts", "id", "body")


def upgrade() -> None:
    op.add_column("items", sa.Column("row_key", sa.String(64), nullable=True))
    op.create_index("ix_items_row_key", "items", ["row_key"])
    op.add_column("records", sa.Column("pair_key", sa.String(64), nullable=True))
    op.create_index("ix_records_pair_key", "records", ["pair_key"])
    meta = sa.table("meta", sa.column("name"), sa.column("value"))
    connection = op.get_bind()
    key = connection.execute(sa.select(meta.c.value).where(meta.c.name == "key")).scalar_one_or_none()
    if key is not None:
        for run_id in connection.execute(sa.select(items.c.run_id).distinct()).scalars().all():
            _fill(connection, run_id, RowKeys(key))


def _fill(connection: sa.Connection, run_id: str, keys: RowKeys) -> None:
    """Rows whose texts were erased have none, nor have those that stand apart from every run."""
    query = (
        sa.select(items.c.id, items.c.position, items.c.recipe, texts.c.body)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .where(items.c.run_id == run_id, items.c.state != "preview", texts.c.body.is_not(None))
        .order_by(items.c.position, items.c.id)
        .limit(CHUNK)
    )
    change = sa.update(items).where(items.c.id == sa.bindparam("of_id")).values(row_key=sa.bindparam("key"))
    rows = connection.execute(query).all()
    while rows:
        made = [{"of_id": row.id, "key": keys.of_content(row.recipe, json.loads(row.body))} for row in rows]
        connection.execute(change, made)
        after = sa.tuple_(items.c.position, items.c.id) > (rows[-1].position, rows[-1].id)
        rows = connection.execute(query.where(after)).all()


def downgrade() -> None:
    op.drop_index("ix_records_pair_key", table_name="records")
    op.drop_column("records", "pair_key")
    op.drop_index("ix_items_row_key", table_name="items")
    op.drop_column("items", "row_key")
