"""The templates that agents are asked with, and one's own copies of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from solon.config import Config
from solon.errors import UsageError
from solon.prompts.library import PromptLibrary, check_prompt
from solon.recipes.registry import Recipes

if TYPE_CHECKING:
    from solon.prompts.library import Prompt


class Prompts:
    """The templates of the agents: `project.prompts`.

    Args:
        folder: templates of one's own, laid over the built-in ones; default: only those that ship with Solon.
        recipes: the recipes that there are, which may bring templates of their own; default: the shipped ones.
    """

    def __init__(self, folder: str | Path | None = None, recipes: Recipes | None = None) -> None:
        self._folder, self._recipes = folder, recipes

    def list(self, recipe: str | None = None) -> Sequence[Prompt]:
        """Every template with its version, fingerprint, variables and source.

        Args:
            recipe: with the templates that come with this recipe.

        Raises:
            ConfigError: there is no such folder, or a template in it that no agent could use.
        """
        return tuple(self._library(recipe))

    def show(self, name: str, recipe: str | None = None) -> Prompt:
        """One template, such as `judge.pair`; its text is in `source`. Arguments as of `list`.

        Raises:
            UsageError: there is no such template.
        """
        return _pick(self.list(recipe), name)

    def check(self, recipe: str | None = None) -> dict[str, str]:
        """Render every template with its declared variables; returns how those of one's own differ, by name. Arguments
        as of `list`.

        Raises:
            ConfigError: one fails; it is named.
        """
        library = self._library(recipe)
        for prompt in library:
            check_prompt(prompt)
        return {name: library.diff(name) for name in sorted(library.overlaid)}

    def _library(self, recipe: str | None) -> PromptLibrary:
        recipes = self._recipes or Recipes(Config())
        return PromptLibrary(self._folder, recipe=recipes.find(recipe).templates if recipe else ())

    def copy(self, *names: str, folder: str | Path | None = None) -> Path:
        """Copy built-in templates into a folder, to be changed there; returns the folder.

        Args:
            folder: where to; default: the folder of one's own templates, else `prompts`.

        Raises:
            UsageError: there is no such template, or the folder has one of that name. Nothing was copied.
        """
        target = Path(folder or self._folder or "prompts")
        built_in = tuple(PromptLibrary())
        chosen = [_pick(built_in, name) for name in names]
        for prompt in chosen:
            if (target / f"{prompt.name}.md").exists():
                raise UsageError(
                    f"{target / prompt.name}.md is there already", next_step="remove it first, or edit it"
                )
        target.mkdir(parents=True, exist_ok=True)
        for prompt in chosen:
            (target / f"{prompt.name}.md").write_text(prompt.source, encoding="utf-8")
        return target


def _pick(prompts: Sequence[Prompt], name: str) -> Prompt:
    known = {prompt.name: prompt for prompt in prompts}
    if name not in known:
        raise UsageError(f"there is no prompt {name!r}", next_step=f"prompts: {', '.join(sorted(known))}")
    return known[name]
