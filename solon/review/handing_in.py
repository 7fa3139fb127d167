"""Instructions that experts write on the page: each becomes an item of the configured recipe's interactive run, and is
checked here while its author goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from solon.errors import ConfigError, InvalidDecision, SeedError, SolonError, UsageError
from solon.store.database.audit_log import append
from solon.store.database.ids import hash_id, keyed_hash
from solon.store.reviewing.review_rows import NotThere
from solon.store.reviewing.worker_problems import note_worker
from solon.store.runs.interactive import Visit, items_from

if TYPE_CHECKING:
    from solon.project import Project
    from solon.review.schemas.queue import InstructionIn
    from solon.store.reviewing.experts import ExpertRow
    from solon.store.runs.interactive import FromSource

LONGEST = 20_000
"""Characters of a request, of its input, or of an answer."""
OWN = 10
"""Of so many of their own instructions people see what became of them."""


class HandIns:
    """Takes instructions in, and lets models check them.

    Attributes:
        recipe: the recipe that they are items of; empty: none are taken.
        works: whether this server asks models; else the next `solon resume` checks what was handed in.
    """

    def __init__(self, project: Project, recipe: str, *, works: bool = True) -> None:
        self.recipe, self.works = recipe, works
        self._project = project
        self._checking: set[asyncio.Task[None]] = set()

    async def take(self, expert: ExpertRow, given: InstructionIn) -> str:
        """Make an item of an instruction and return its id; the same instruction of the same person is one item.

        Raises:
            NotThere: none are taken here.
            InvalidDecision: it is no seed of the recipe, or the configuration takes none one by one.
        """
        if not self.recipe:
            raise NotThere(
                "no instructions are written here", next_step="ask who runs this: [review] hand_in"
            )
        author, desk = self._source(expert), self._project.interactive
        place = hash_id("page", self.recipe, author, given.prompt, given.input, given.answer)
        row = {"prompt": given.prompt, "source": author, "responses": [{"text": given.answer}]}
        row |= {"input": given.input} if given.input else {}
        try:
            visit = Visit(place, place, only=True)
            item_id = await desk.loop.arun(desk.open(self.recipe, row, visit))
        except (SeedError, ConfigError, UsageError) as error:
            raise InvalidDecision(error.cause, next_step=error.next_step) from error
        await self._project.store.writer.run(
            lambda c: append(self._project.store, c, expert.actor, "instruction.written", item_id)
        )
        if self.works:
            task = asyncio.create_task(self._check(item_id), name="solon-hand-in")
            self._checking.add(task)
            task.add_done_callback(self._checking.discard)
        return item_id

    async def _check(self, item_id: str) -> None:
        """Bring an item to where it rests; what keeps it from that is told as a problem of the worker."""
        desk = self._project.interactive
        try:
            await desk.loop.arun(desk.drive(item_id, texts=False))
        except Exception as error:  # the item stays queued, and its author has gone on
            why = error.cause[:300] if isinstance(error, SolonError) else type(error).__name__
            await self._project.store.writer.run(lambda c: note_worker(c, why))

    def own(self, expert: ExpertRow) -> list[FromSource]:
        """The latest instructions that a person wrote here, the newest first."""
        with self._project.store.connect() as connection:
            return items_from(connection, self._source(expert), OWN)

    def _source(self, expert: ExpertRow) -> str:
        """The pseudonym under which a person stands as the source of what they wrote, as in `lineage.decided_by`."""
        return keyed_hash(self._project.store.key, "actor", expert.actor)

    async def stop(self) -> None:
        """Leave what is being checked to the next session: its items are queued again."""
        for task in self._checking:
            task.cancel()
        await asyncio.gather(*self._checking, return_exceptions=True)
