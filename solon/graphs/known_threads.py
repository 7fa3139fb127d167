"""What is known of an item's thread, so that a saver need neither look for its checkpoint nor write it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import CheckpointTuple

NEW, KEPT = "__new_thread", "__kept_thread"
"""Keys of a thread's configuration, see `look_up`; the underscores keep them out of the metadata of checkpoints."""


class CheckpointLost(Exception):
    """A thread that was said to have a checkpoint has none."""


async def look_up(
    config: RunnableConfig, find: Callable[[RunnableConfig], Awaitable[CheckpointTuple | None]]
) -> CheckpointTuple | None:
    """What a saver finds of a thread. It does not look for one that is called new: nothing was ever written of it.

    Raises:
        CheckpointLost: there is nothing of one that is called kept. LangGraph would begin it with a resume value.
    """
    known = config["configurable"]
    if known.get(NEW):
        return None
    found = await find(config)
    if found is None and known.get(KEPT):
        raise CheckpointLost
    return found


def is_over(values: dict[str, Any]) -> bool:
    """Has an item's thread ended? Then `finish` has committed its outcome to the store, and the thread is not needed.

    Whatever asks for it again is answered by the store, or by a new attempt that the journal replays.
    """
    return "outcome" in values and values.get("next") == "end"
