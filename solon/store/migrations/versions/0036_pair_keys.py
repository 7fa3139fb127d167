"""the pair of a record is the same whatever white space stands around its texts"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from solon.store.runs.row_keys import conversation_of, pair_key

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

CHUNK = 1000


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns))


items = _table("items", "id", "seed_id")
records = _table("records", "id", "item_id", "recipe", "chosen_id", "rejected_id", "pair_key")
candidates = _table("candidates", "id", "text_id", "prompt_text_id", "input_text_id")
seeds = _table("seeds", "id", "text_id")
texts = _table("texts", "id", "body")


def upgrade() -> None:
    meta = sa.table("meta", sa.column("name"), sa.column("value"))
    connection = op.get_bind()
    key = connection.execute(sa.select(meta.c.value).where(meta.c.name == "key")).scalar_one_or_none()
    if key is not None:
        _fill(connection, key)


def _fill(connection: sa.Connection, key: str) -> None:
    query = _query()
    change = sa.update(records).where(records.c.id == sa.bindparam("of_id")).values(pair_key=sa.bindparam("key"))
    rows = connection.execute(query).all()
    while rows:
        made = []
        for record_id, recipe, body, prompt, given, *answers in rows:
            task = {"prompt": prompt, "input": given} if prompt else json.loads(body)
            made.append(
                {"of_id": record_id, "key": pair_key(key, recipe, conversation_of(task), answers)}
            )
        connection.execute(change, made)
        rows = connection.execute(query.where(records.c.id > rows[-1].id)).all()


def _query() -> sa.Select[Any]:
    """Records with their texts. Ties have no key, nor have those whose texts were erased."""
    sides = {name: (candidates.alias(name), texts.alias(f"{name}_text")) for name in ("chosen", "rejected")}
    (chosen, better), (rejected, worse) = sides.values()
    prompt, given = texts.alias("prompt"), texts.alias("given")
    said = (prompt.c.body, given.c.body, better.c.body, worse.c.body)
    return (
        sa.select(records.c.id, records.c.recipe, texts.c.body, *said)
        .join(items, items.c.id == records.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .join(chosen, chosen.c.id == records.c.chosen_id)
        .join(better, better.c.id == chosen.c.text_id)
        .join(prompt, prompt.c.id == chosen.c.prompt_text_id, isouter=True)
        .join(given, given.c.id == chosen.c.input_text_id, isouter=True)
        .join(rejected, rejected.c.id == records.c.rejected_id, isouter=True)
        .join(worse, worse.c.id == rejected.c.text_id, isouter=True)
        .where(texts.c.body.is_not(None), better.c.body.is_not(None))
        .order_by(records.c.id)
        .limit(CHUNK)
    )


def downgrade() -> None:
    """Nothing: an earlier Solon takes these keys as they are, and makes its own for records to come."""
