"""The model that reads answers before they are sent, asked under the law and the earlier decisions of each item."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from solon.agents.checker import CheckRemark, GivenAnswer, check
from solon.store.reviewing.review_rows import ReviewRow

if TYPE_CHECKING:
    from solon.graphs.bench import Bench
    from solon.project import Project


class Checker:
    """Asks the model that checks answers. Its calls stand in the journal apart from those of the run."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._bench: Bench | None = None

    async def read(
        self, review: ReviewRow, given: GivenAnswer, *, model: str, guidelines: str
    ) -> list[CheckRemark] | None:
        """Return the model's remarks on an answer; None where it gave none that can be read.

        Raises:
            SolonError: the model cannot be asked.
        """
        bench = self._open()
        context = await asyncio.to_thread(bench.context, review)
        shown = await asyncio.to_thread(context.precedents, *review.candidates)
        remarks, _ = await check(
            context.case,
            given,
            model=model,
            seat="checker",
            guidelines=guidelines,
            precedents=shown.text,
            precedent_ids=shown.ids,
        )
        await bench.flush(context)
        return remarks

    def _open(self) -> Bench:
        if self._bench is None:
            from solon.graphs.bench import Bench

            project = self._project
            self._bench = Bench(
                project.store, project.config, project.models, project.recipes, plugins=project.plugins
            )
        return self._bench

    async def stop(self) -> None:
        """Close the models that were asked."""
        if self._bench is not None:
            await self._bench.aclose()
