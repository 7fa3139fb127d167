"""Solon: training data from a panel of language-model agents and a few experts, whose decisions become law."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from solon.config import Config, load_config
    from solon.plugins import critic, generator, judge
    from solon.project import Project
    from solon.workspace.views import Candidate, Item, Review, RunSummary

_HOMES = {
    "Candidate": "solon.workspace.views",
    "Config": "solon.config",
    "Item": "solon.workspace.views",
    "Project": "solon.project",
    "Review": "solon.workspace.views",
    "RunSummary": "solon.workspace.views",
    "critic": "solon.plugins",
    "generator": "solon.plugins",
    "judge": "solon.plugins",
    "load_config": "solon.config",
}

__all__ = [
    "Candidate",
    "Config",
    "Item",
    "Project",
    "Review",
    "RunSummary",
    "__version__",
    "critic",
    "generator",
    "judge",
    "load_config",
]


def __dir__() -> list[str]:
    """The public names, for tab completion too."""
    return __all__


def __getattr__(name: str) -> Any:
    """Names are imported when they are used: `import solon` costs nothing."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'solon' has no attribute {name!r}")
