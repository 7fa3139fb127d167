"""Find a recipe by its name: given from Python, named in `[recipes.NAME]`, installed as a package, or shipped.

A recipe from outside has an identity: a hash of its parts and of the source of the modules in which they are written.
It is stored with every run, so that a run never goes on under another recipe of the same name.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from solon.errors import ConfigError, OtherRecipe, UsageError
from solon.plugins import find_function
from solon.presets import PRESETS
from solon.recipes.recipe import Recipe

if TYPE_CHECKING:
    from solon.config import Config

GROUP = "solon.recipes"
"""The entry-point group in which installed packages offer recipes."""
SHIPPED = {
    "preference": "preference",
    "preference-contrast": "contrast",
    "preference-expert": "preference",
    "instruction": "instruction",
    "instruction-curate": "curate",
    "instruction-evolve": "evolve",
    "instruction-backtranslate": "backtranslate",
    "instruction-dialogue": "dialogue",
    "instruction-schema": "schema",
    "instruction-free": "free",
    "label": "label",
    "label-panel": "label",
    "label-spans": "spans",
}
"""A shipped recipe -> its module of `solon.recipes`, where it is called by its name in capitals."""


@dataclass(frozen=True, slots=True)
class RegisteredRecipe:
    """A recipe and where it comes from.

    Attributes:
        recipe: the recipe.
        origin: `shipped`, `given` (from Python), or `module:OBJECT`.
        identity: what a run of it is pinned to; empty of a shipped one, whose runs go by the version of its graph.
        templates: folders with templates that come with it: `prompts` beside the modules that it is written in.
    """

    recipe: Recipe
    origin: str
    identity: str
    templates: tuple[Path, ...] = ()


class Recipes:
    """The recipes that a process knows, each loaded when it is asked for.

    One given from Python comes before one that the configuration names, that before an installed one, and a shipped
    one last.

    Args:
        config: its tables `[recipes.NAME]` name recipes.
        given: recipes from Python.

    Raises:
        UsageError: what was given is no recipe, or two are of one name.
    """

    def __init__(self, config: Config, given: Iterable[Recipe] = ()) -> None:
        if isinstance(given, Recipe):
            raise UsageError(
                f"the recipe {given.name!r} was given where a list is wanted", next_step="recipes=[...]"
            )
        self._tables: Mapping[str, Mapping[str, Any]] = config.recipes
        self._config = config
        self._given: dict[str, Recipe] = {}
        for recipe in given:
            if not isinstance(recipe, Recipe):
                raise UsageError(f"{recipe!r:.80} is no recipe", next_step="from solon.recipes import Recipe")
            if recipe.name in self._given:
                raise UsageError(f"two recipes are named {recipe.name!r}", next_step="give one another name")
            self._given[recipe.name] = recipe
        self._found: dict[str, RegisteredRecipe] = {}

    def names(self) -> list[str]:
        """The names of all recipes that there are, the shipped ones first."""
        return list(dict.fromkeys((*SHIPPED, *self._given, *self._configured(), *_installed())))

    def find(self, name: str) -> RegisteredRecipe:
        """The recipe of a name, with its origin and identity.

        Raises:
            UsageError: there is none; names the recipes that there are.
            ConfigError: it cannot be loaded, or what it names is no recipe of this name.
        """
        found = self._find(name)
        return replace(found, recipe=found.recipe.under(self._config))

    def _find(self, name: str) -> RegisteredRecipe:
        """The recipe of a name as it is written."""
        if name not in self._found:
            self._found[name] = self._load(name)
        return self._found[name]

    def get(self, name: str) -> Recipe:
        """The recipe of a name. Errors are those of `find`."""
        return self.find(name).recipe

    def asking(self, base: str) -> str:
        """The name of the first shipped recipe whose question has this response schema.

        Raises:
            UsageError: there is none.
        """
        for name in SHIPPED:
            if self.get(name).question.base == base:
                return name
        raise UsageError(f"no recipe asks {base!r}", next_step=f"recipes: {', '.join(self.names())}")

    def known(self, names: Iterable[str]) -> dict[str, Recipe]:
        """Those of the named recipes that can be loaded, by name and as they are written: which steps were added to the
        recipe of a run is up to its own configuration. One that is missing ends nobody else's work."""
        found = {}
        for name in dict.fromkeys(names):
            with suppress(UsageError, ConfigError):
                found[name] = self._find(name).recipe
        return found

    def of_run(
        self,
        name: str,
        pinned: Mapping[str, str],
        run_id: str = "RUN",
        config: Config | None = None,
    ) -> Recipe:
        """The recipe of a run, if it is the one that the run was begun with.

        Args:
            name: name of the run's recipe.
            pinned: `plugins` of the configuration that the run was begun with, where its recipe's identity stands.
            run_id: the run, for the next step.
            config: that configuration, which may add steps to the recipe; None: it is as it is written.

        Raises:
            OtherRecipe: the recipe is missing, or is another one than the run was begun with.
        """
        begun = pinned.get(key_of(name), "")
        try:
            found = self._find(name)
        except ConfigError as error:
            raise OtherRecipe(
                f"this run was begun with the recipe {begun or name}, which cannot be loaded: {error.cause}",
                next_step=f"{error.next_step}; nothing was changed",
            ) from error
        except UsageError:
            raise OtherRecipe(
                f"this run was begun with the recipe {begun or name}, which is not here",
                next_step=f'name it in solon.toml ([recipes.{name}] use = "module:OBJECT"), install its package, or '
                "give it to Project(recipes=[...]); nothing was changed",
            ) from None
        if _hash_of(found.identity) != _hash_of(begun):
            raise OtherRecipe(
                f"this run was begun with the recipe {begun or f'{name} that is shipped'}; here it is now "
                f"{found.identity or 'the shipped one'}",
                next_step="take it back as it was, or begin a new run; to go on under today's: "
                f"solon resume {run_id} --adopt-recipe; nothing was changed",
            )
        return found.recipe if config is None else found.recipe.under(config)

    def _configured(self) -> list[str]:
        return [name for name, table in self._tables.items() if "use" in table]

    def _load(self, name: str) -> RegisteredRecipe:
        if name in self._given:
            recipe = self._given[name]
            return RegisteredRecipe(recipe, "given", identify(recipe, f"given:{name}"), _templates(recipe))
        table, installed = self._tables.get(name, {}), _installed()
        if "use" in table:
            return _from(str(table["use"]), name, f"[recipes.{name}] use")
        if name in installed:
            return _from(installed[name].value, name, f"entry point {GROUP}")
        if name in SHIPPED:
            return RegisteredRecipe(_shipped(name), "shipped", "")
        if table:
            raise ConfigError(
                f"[recipes.{name}] does not say which recipe it is", next_step='add use = "module:OBJECT"'
            )
        if preset := PRESETS.get(name):
            raise UsageError(
                f"{name} is a preset, a configuration of the recipe {preset.recipe}",
                next_step=f"make a folder of it with `solon init {name}`, and in that run: solon run {preset.recipe}",
            )
        raise UsageError(
            f"there is no recipe {name!r}",
            next_step=f"recipes: {', '.join(self.names())}; one of your own is named in solon.toml: "
            f'[recipes.{name}] use = "module:OBJECT"',
        )


def bind_recipe(config: Config, found: RegisteredRecipe) -> Config:
    """The configuration as a run of a recipe is stored with it: with the section of this recipe alone, and its identity
    where it is not a shipped one."""
    name = found.recipe.name
    own = {name: config.recipes[name]} if name in config.recipes else {}
    kept = {key: value for key, value in config.plugins.items() if not key.startswith(key_of(""))}
    pinned = {key_of(name): found.identity} if found.identity else {}
    return config.model_copy(update={"recipes": own, "plugins": {**kept, **pinned}})


def key_of(name: str) -> str:
    """The key of `Config.plugins` under which a run holds its recipe's identity."""
    return f"recipe {name}"


def read_settings(recipe: Recipe, config: Config) -> BaseModel | None:
    """The recipe's own settings out of `[recipes.NAME]`, checked by its model; None where it has none.

    Raises:
        ConfigError: naming the key, the value seen and what would be right.
    """
    given = {key: value for key, value in config.recipes.get(recipe.name, {}).items() if key != "use"}
    if recipe.settings is None:
        if given:
            key = sorted(given)[0]
            raise ConfigError(
                f"{config.place_of('recipes', recipe.name, key)}: [recipes.{recipe.name}] {key}: "
                "the recipe has no settings",
                next_step="take the key out",
            )
        return None
    try:
        return recipe.settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        cause = "unknown key" if unknown else f"{first['msg']} (saw {first['input']!r:.80})"
        known = ", ".join(recipe.settings.model_fields)
        where = config.place_of("recipes", recipe.name, *map(str, first["loc"]))
        raise ConfigError(
            f"{where}: [recipes.{recipe.name}] {key}: {cause}", next_step=f"its keys: {known}"
        ) from None


def _from(reference: str, name: str, where: str) -> RegisteredRecipe:
    recipe = find_function(reference, where)
    if not isinstance(recipe, Recipe):
        seen = "nothing" if recipe is None else f"{recipe!r:.80}"
        raise ConfigError(
            f"{where} = {reference!r} names no recipe but {seen}",
            next_step="name an object that is made by solon.recipes.Recipe(...)",
        )
    if recipe.name != name:
        raise ConfigError(
            f"{where} = {reference!r}: the recipe is called {recipe.name!r}, not {name!r}",
            next_step=f"call the table [recipes.{recipe.name}], or give the recipe this name",
        )
    module = reference.partition(":")[0]
    return RegisteredRecipe(recipe, reference, identify(recipe, reference), _templates(recipe, module))


def identify(recipe: Recipe, reference: str) -> str:
    """What a run of the recipe is pinned to: `reference@version+hash`, the hash over its parts and the syntax trees of
    the modules that they are written in. Comments and layout do not count; modules that those import do not either,
    which is what `version` is for."""
    spelt = _spell(recipe)
    written = "\n".join(f"{module}: {tree}" for module, tree in sorted(_sources(recipe)))
    digest = hashlib.sha256(f"{spelt}\n{written}".encode()).hexdigest()[:12]
    return f"{reference}@{recipe.version or '0'}+{digest}"


def _templates(recipe: Recipe, *modules: str) -> tuple[Path, ...]:
    """The folders `prompts` beside these modules, and beside those that the recipe's own classes stand in."""
    named = {*modules, *(thing.__module__ for thing in _things(recipe))}
    files = {getattr(sys.modules.get(name), "__file__", None) for name in named}
    return tuple(sorted(path for one in files if one and (path := Path(one).parent / "prompts").is_dir()))


def _hash_of(identity: str) -> str:
    """What must be the same for a run to go on: the version and the hash, not where the recipe was found."""
    return identity.rpartition("@")[2]


def _spell(value: Any) -> str:
    """A part in words that are the same in every process."""
    if is_dataclass(value) and not isinstance(value, type):
        inner = ", ".join(f"{one.name}={_spell(getattr(value, one.name))}" for one in fields(value))
        return f"{_name(type(value))}({inner})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_spell(value[key])}" for key in sorted(value, key=str)) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"[{', '.join(map(_spell, value))}]"
    if callable(value):
        return _name(value)
    plain = value is None or isinstance(value, str | bytes | int | float | bool)
    return repr(value) if plain else f"{_name(type(value))}({_spell(getattr(value, '__dict__', {}))})"


def _name(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", type(thing).__qualname__))


def _sources(recipe: Recipe) -> set[tuple[str, str]]:
    """(module, syntax tree) of every module outside Solon that a class or function of a recipe is written in. What was
    written in a notebook or a script stands for itself."""
    return {_source(thing) for thing in _things(recipe)}


def _things(value: Any) -> Iterator[Any]:
    """The classes and functions from outside Solon that a value of parts is made of."""
    if isinstance(value, tuple | list):
        for one in value:
            yield from _things(one)
        return
    thing = value if isinstance(value, type) or inspect.isroutine(value) else type(value)
    if not _is_plain(thing):
        yield thing
    if is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from _things(getattr(value, part.name))


def _is_plain(thing: Any) -> bool:
    module = str(getattr(thing, "__module__", "builtins"))
    return module == "builtins" or module.partition(".")[0] in ("solon", "pydantic")


def _source(thing: Any) -> tuple[str, str]:
    module = sys.modules.get(thing.__module__)
    of_module = thing.__module__ != "__main__" and getattr(module, "__file__", None)
    try:
        text = inspect.getsource(module if of_module and module else thing)
        return (thing.__module__ if of_module else thing.__qualname__), _tree(inspect.cleandoc(text))
    except (OSError, TypeError, SyntaxError):
        return thing.__qualname__, repr(
            sorted(vars(thing)) if isinstance(thing, type) else thing.__qualname__
        )


@lru_cache(maxsize=64)
def _tree(text: str) -> str:
    return ast.dump(ast.parse(text))


def _shipped(name: str) -> Recipe:
    module = import_module(f"solon.recipes.{SHIPPED[name]}")
    recipe: Recipe = getattr(module, name.upper().replace("-", "_"))
    return recipe


@lru_cache(maxsize=1)
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
