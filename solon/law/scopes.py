"""Which version of a law governs a seed: the one with the narrowest scope that the seed falls in. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from solon.law.documents import Constitution, Rubric, RuleBook, Scope


class Scoped(Protocol):
    """Whatever holds a document with a scope."""

    @property
    def document(self) -> Constitution | Rubric | RuleBook:
        """The constitution, rubric or rules that it holds."""


S = TypeVar("S", bound=Scoped)


def domains_of(specialty: str | None, tags: Iterable[str] | None) -> frozenset[str]:
    """Return a seed's domains: its specialty and its tags, in lower case."""
    named = [specialty or "", *(tags or ())]
    return frozenset(name.strip().lower() for name in named if name.strip())


def covers(scope: Scope, recipe: str, domains: frozenset[str]) -> bool:
    """Tell whether a seed of these domains, on its way through this recipe, falls into the scope."""
    tags = {tag.strip().lower() for tag in scope.tags}
    return scope.recipe in ("", recipe) and (not tags or bool(tags & domains))


def narrowest(versions: Iterable[S], recipe: str, domains: frozenset[str]) -> S | None:
    """Return the version that governs a seed; None where no scope covers it.

    One for its domains goes before one for its recipe, and that before the global one. Of several for its
    domains the one that names the recipe too is taken, then the one that shares most tags, then the one that
    has fewest others, then the first by its tags.
    """

    def rank(version: S) -> tuple[bool, bool, int, int, list[str]]:
        scope = version.document.scope
        tags = {tag.strip().lower() for tag in scope.tags}
        return not tags, not scope.recipe, -len(tags & domains), len(tags), sorted(tags)

    covering = [version for version in versions if covers(version.document.scope, recipe, domains)]
    return min(covering, key=rank, default=None)
