"""the row that an item came from and the pair of a record, by which they are the same in every run"""

import json

import sqlalchemy as sa
from alembic import op
from solon.store.runs.row_keys import RowKeys, conversation_of, pair_key

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

CHUNK = 1000


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns))


items = _table("items", "id", "run_id", "seed_id", "recipe", "position", "state", "row_key")
records = _table("records", "id", "item_id", "recipe", "chosen_id", "rejected_id", "pair_key")
candidates = _table("candidates", "id", "text_id", "prompt_text_id")
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
        _fill_records(connection, key)


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


def _fill_records(connection: sa.Connection, key: str) -> None:
    """Records of ties have none, nor have those whose texts were erased."""
    sides = {name: (candidates.alias(name), texts.alias(f"{name}_text")) for name in ("chosen", "rejected")}
    (chosen, better), (rejected, worse), own = *sides.values(), texts.alias("own")
    query = (
        sa.select(records.c.id, records.c.recipe, texts.c.body, own.c.body, better.c.body, worse.c.body)
        .join(items, items.c.id == records.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .join(chosen, chosen.c.id == records.c.chosen_id)
        .join(better, better.c.id == chosen.c.text_id)
        .join(own, own.c.id == chosen.c.prompt_text_id, isouter=True)
        .join(rejected, rejected.c.id == records.c.rejected_id, isouter=True)
        .join(worse, worse.c.id == rejected.c.text_id, isouter=True)
        .where(texts.c.body.is_not(None), better.c.body.is_not(None))
        .order_by(records.c.id)
        .limit(CHUNK)
    )
    change = sa.update(records).where(records.c.id == sa.bindparam("of_id")).values(pair_key=sa.bindparam("key"))
    rows = connection.execute(query).all()
    while rows:
        made = []
        for record_id, recipe, body, request, *answers in rows:
            turns = [{"role": "user", "content": request}] if request else conversation_of(json.loads(body))
            made.append({"of_id": record_id, "key": pair_key(key, recipe, turns, answers)})
        connection.execute(change, made)
        rows = connection.execute(query.where(records.c.id > rows[-1].id)).all()


def downgrade() -> None:
    op.drop_index("ix_records_pair_key", table_name="records")
    op.drop_column("records", "pair_key")
    op.drop_index("ix_items_row_key", table_name="items")
    op.drop_column("items", "row_key")
