"""What every agent sees of an item: the request, the law it is judged by, and the way to call a model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from solon.agents.calls import Caller
from solon.config import Config
from solon.law.documents import Constitution, Rubric
from solon.prompts.library import PromptLibrary


@dataclass(frozen=True)
class Case:
    """One item as the agents see it. All of it is pinned when the item starts.

    Attributes:
        caller: makes the item's calls.
        config: the configuration of its run.
        prompts: the templates that its run is pinned to.
        constitution: the principles that critics, judges and the resolver apply.
        rubric: the criteria that judges score.
        prompt: the seed's request, with the earlier turns of a conversation.
        input: the seed's material that the request speaks of; empty without any.
        reference: the seed's reference answer; empty without one.
        mark: secret of which the marks around foreign texts are made; derived from the store's key, so that no
            author can know it.
        random_seed: root of the seeds of all calls of the item.
        settings: of the recipe, as its own model read them from `[recipes.NAME]`; None where it has none.
    """

    caller: Caller
    config: Config
    prompts: PromptLibrary
    constitution: Constitution
    rubric: Rubric
    prompt: str
    input: str
    reference: str
    mark: str
    random_seed: int
    settings: Any = None

    @cached_property
    def principles(self) -> str:
        """The constitution as text for a prompt, rendered once."""
        return self.constitution.as_prompt()

    def draw(self, *parts: str | int) -> int:
        """A seed for one call, the same whenever the item is replayed."""
        text = ":".join(str(part) for part in (self.random_seed, *parts))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") & 0x7FFFFFFF
