"""Reading the versions that items are pinned to: law, prompts, consensus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select

from solon.law.documents import Constitution, Rubric
from solon.store.database.store import Store
from solon.store.tables import consensus_versions, constitutions, prompt_sets, rubrics


@dataclass(frozen=True, slots=True)
class Law:
    """What an item's agents follow, as it was when the item was created.

    Attributes:
        constitution: the principles.
        rubric: the criteria.
        prompts: name of a template -> its version and source.
        consensus: the consensus model as JSON, see `ConsensusModel.from_json`.
    """

    constitution: Constitution
    rubric: Rubric
    prompts: dict[str, Any]
    consensus: dict[str, Any]


def load_law(store: Store, constitution_id: str, rubric_id: str, prompts_id: str, consensus_id: str) -> Law:
    """The constitution, rubric, prompts and consensus version with these ids, read from the store."""
    with store.connect() as connection:

        def one(table: Table, column: str, row_id: str) -> Any:
            columns = table.c
            return connection.execute(select(columns[column]).where(columns.id == row_id)).scalar_one()

        return Law(
            constitution=Constitution.model_validate(one(constitutions, "document", constitution_id)),
            rubric=Rubric.model_validate(one(rubrics, "document", rubric_id)),
            prompts=one(prompt_sets, "templates", prompts_id),
            consensus=one(consensus_versions, "payload", consensus_id),
        )
