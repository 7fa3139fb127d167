"""A project from Python: run recipes, list and answer reviews, resume, export. The command line stands on it."""

from __future__ import annotations

from solon.workspace.workspace import Workspace


class Project(Workspace):
    """One store with its configuration, and all that can be done with them.

    Args:
        store: URL of the store; default: `store` of the configuration (`SOLON_STORE`, `solon.toml`).
        config: a `Config`, plain values, or the path of a TOML file; default: `solon.toml` if it is there.
        models: chat models of your own by the name that the configuration gives them; any LangChain chat model.
        recipes: recipes of your own in place of built-in ones of the same name.
        plugins: judges, critics and generators of your own, see `solon.plugins`.
        create: make the store where it is missing.
    """
