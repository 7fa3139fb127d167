"""Requests out of nothing: the source that needs no texts of people, and the maker that has a model write what a user
would ask."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, field_validator

from solon.agents import generator
from solon.agents.drafts import Draft
from solon.agents.models.capabilities import COMPLETES, capabilities_of
from solon.agents.tasks import why_unfit
from solon.errors import ConfigError
from solon.formats.seed_rows import RowProblem, SeedRow
from solon.recipes.makers import Maker, refuse_functions
from solon.recipes.sources import Source

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.config import Config

ITEMS = "items"
"""The column of a row that says how many requests are written under it."""
MOST_ITEMS = 100_000
SYSTEM = "{system}"
TEMPLATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "chatml": ("<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n", ("<|im_end|>",)),
    "llama3": (
        "<|start_header_id|>system<|end_header_id|>\n\n{system}<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n",
        ("<|eot_id|>",),
    ),
    "gemma": ("<start_of_turn>user\n", ("<end_of_turn>",)),
    "mistral": ("[INST] ", ("[/INST]",)),
}
"""A form of chats -> what a model sees before a user's first words, and what ends these."""
MARKERS = re.compile(r"<\|[^|<>\n]{1,40}\|>|</?s>|<(?:bos|eos)>|<(?:start|end)_of_turn>|\[/?INST\]")
"""What parts the turns of a chat in the texts that models read."""


class FreeSettings(BaseModel):
    """The keys of `[recipes.instruction-free]`; a recipe of one's own may derive its settings from them.

    Attributes:
        template: the form of chats that the model was trained with, one of `TEMPLATES`; or the very text that it sees
            before a user's first words, with `{system}` where the row's prompt stands.
        ends: further texts before which a request ends.
        temperature: of the request; that of the answer is the generator's.
        max_tokens: bound on the request, in tokens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = Field("chatml", min_length=1, max_length=2000)
    ends: tuple[str, ...] = Field((), max_length=3)
    temperature: float = Field(1.0, ge=0, le=2)
    max_tokens: int = Field(256, ge=16, le=4000)

    @field_validator("template")
    @classmethod
    def _is_known_or_a_text(cls, template: str) -> str:
        if template not in TEMPLATES and re.fullmatch(r"[\w.-]+", template):
            raise ValueError(f"no form of chats; there are {', '.join(TEMPLATES)}, or write the text itself")
        return template

    def before(self, system: str) -> str:
        """What the model sees before a user's first words. The row's text is without the signs that markers of turns
        are made of."""
        text, _ = TEMPLATES.get(self.template, (self.template, ()))
        return text.replace(SYSTEM, re.sub(r"[<>|\[\]]", " ", system).strip())

    @property
    def after(self) -> tuple[str, ...]:
        """What ends a request."""
        return (*TEMPLATES.get(self.template, ("", ()))[1], *self.ends)


@dataclass(frozen=True)
class Free(Source):
    """So many seeds of each row as its column `items` says, all alike: nothing is made of their texts. The row's prompt
    only says whom a user speaks to, such as "You are an assistant who helps with cooking."

    Attributes:
        items: how many, where a row does not say.
        most_given: as of every source.
        expand: as of every source.
    """

    items: int = 10
    most_given: int | None = 0
    expand: int = 1

    def seeds(self, row: SeedRow) -> Iterable[SeedRow]:
        """The seeds `ROW#NUMBER`.

        Raises:
            RowProblem: `items` is no number from 1 on, or the row is a conversation.
        """
        items = row.metadata.get(ITEMS, self.items)
        if isinstance(items, str | float) and re.fullmatch(r"\s*\d{1,9}(\.0)?\s*", str(items)):
            items = int(float(items))  # of a table
        if type(items) is not int or not 1 <= items <= MOST_ITEMS:
            raise RowProblem(f"items: {items!r:.40} is no whole number from 1 to {MOST_ITEMS}")
        if len(row.messages) > 1:
            raise RowProblem("messages: nothing is said yet where requests are written; give a prompt")
        return (replace(row, id=f"{row.id}#{number}") for number in range(1, items + 1))


@dataclass(frozen=True)
class Elicit(Maker):
    """A request that a model writes where a user's would begin, and its answer.

    Source: Xu et al. 2024, "Magpie: Alignment Data Synthesis from Scratch by Prompting Aligned LLMs with Nothing",
    section 2.
    """

    unique: bool = True

    def count(self, config: Config) -> int:
        """One candidate a round.

        Raises:
            ConfigError: functions are to draft, or a model has no completion endpoint.
        """
        refuse_functions(
            config,
            "answer what they are asked, and here nothing is asked",
            "leave it out, or run the recipe instruction",
        )
        for name in config.generator.models:
            if name in config.models and not capabilities_of(config.models[name]).continues:
                raise ConfigError(
                    f"[models.{name}] {config.models[name].model} has no completion endpoint, without which no text "
                    "is written on before a chat begins",
                    next_step=COMPLETES,
                )
        return 1

    def calls(self, config: Config) -> int:
        """Two: the request, and its answer."""
        return 2

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """A request with its answer."""
        settings = case.settings if isinstance(case.settings, FreeSettings) else FreeSettings()
        asked = await generator.elicit(
            case,
            index,
            before=settings.before(case.prompt),
            ends=settings.after,
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            round=round,
        )
        request = MARKERS.split(asked.text)[0].strip()
        if not asked.ok or not request:
            return replace(asked, text="", problem=asked.problem or "empty")
        own = replace(case, prompt=request)
        answer = await generator.draft(own, index, round=round, guidance=guidance, findings=findings)
        return replace(answer, prompt=request)

    def refuse(self, case: Case, draft: Draft) -> str:
        """`dangling_reference` where the request speaks of what it does not bring."""
        return why_unfit(draft.prompt, "", template="", principles=())
