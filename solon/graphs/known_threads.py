"""What is known of an item's thread, so that a saver need neither look for its checkpoint nor write it.

Also what becomes of checkpoints that cannot be read: they are dropped with a warning that names the thread,
and the journal replays their items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from solon.observers import warn

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import CheckpointTuple
    from langgraph.checkpoint.serde.base import SerializerProtocol

NEW, KEPT = "__new_thread", "__kept_thread"
"""Keys of a thread's configuration, see `look_up`; the underscores keep them out of the metadata of checkpoints."""
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, NotImplementedError)
"""What a serializer and its callers raise at values that are not what was written; no database's error is one."""


class CheckpointLost(Exception):
    """A thread that was said to have a checkpoint has none."""


class CheckpointDamaged(Exception):
    """A checkpoint is there and cannot be read."""


class Finder(Protocol):
    """A saver, as `look_up` needs it."""

    async def find(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The newest checkpoint in the database, or None. Raises one of `UNREADABLE` at a row that is
        damaged."""

    async def adelete_thread(self, thread_id: str) -> None:
        """Drop every row of a thread."""


async def look_up(config: RunnableConfig, saver: Finder) -> CheckpointTuple | None:
    """The checkpoint that a saver has of a thread, or None. It does not look for one that is called new:
    nothing was ever written of it.

    A checkpoint that cannot be read is dropped, with a warning.

    Raises:
        CheckpointLost: nothing is there of a thread that is called kept. LangGraph would begin it with a
            resume value.
    """
    known = config["configurable"]
    if known.get(NEW):
        return None
    try:
        stored = await find_sound(config, saver)
    except CheckpointDamaged as damage:
        warn(f"{damage}; it is dropped, and its item is replayed from the journal at no cost")
        await saver.adelete_thread(str(known["thread_id"]))
        stored = None
    if stored is None and known.get(KEPT):
        raise CheckpointLost
    return stored


async def find_sound(config: RunnableConfig, saver: Finder) -> CheckpointTuple | None:
    """The checkpoint of a thread in the database, or None where there is none.

    Raises:
        CheckpointDamaged: it cannot be read; names the thread and what is wrong.
    """
    try:
        stored = await saver.find(config)
        if stored is not None:
            _check_shape(stored.checkpoint)
    except UNREADABLE as error:
        thread, why = config["configurable"]["thread_id"], f"{type(error).__name__}: {error}"[:200]
        raise CheckpointDamaged(f"the checkpoint of thread {thread} cannot be read ({why})") from error
    return stored


def _check_shape(checkpoint: Any) -> None:
    for name in ("channel_values", "channel_versions", "versions_seen"):
        if not isinstance(checkpoint[name], dict):
            raise TypeError(f"its {name} are no mapping")


class Summed:
    """A serializer that adds a checksum to what it packs, so that a flipped bit is noticed and does not unpack
    to another value.

    What was packed without one is unpacked as it is.
    """

    def __init__(self, inner: SerializerProtocol) -> None:
        self._inner = inner

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """A value as its type, with the checksum behind a plus sign, and its bytes."""
        kind, body = self._inner.dumps_typed(obj)
        return f"{kind}+{crc32(body):08x}", body

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value that `dumps_typed` packed.

        Raises:
            ValueError: the checksum does not fit the bytes.
        """
        kind, _, checksum = data[0].partition("+")
        if checksum and f"{crc32(data[1]):08x}" != checksum:
            raise ValueError("its checksum does not fit")
        return self._inner.loads_typed((kind, data[1]))


def is_over(values: dict[str, Any]) -> bool:
    """Whether an item's thread has ended. Then `finish` has committed its outcome to the store, and the thread
    is not needed.

    Whatever asks for it again is answered by the store, or by a new attempt that the journal replays.
    """
    return "outcome" in values and values.get("next") == "end"
