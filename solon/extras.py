"""What only some need: the packages that are imported on use, and the extra of Solon that brings each. Imports nothing
of Solon."""

from __future__ import annotations

import importlib.util

EXTRAS = {
    "xllamacpp": "local",
    "vllm": "vllm",
    "ray": "ray",
    "opentelemetry": "tracing",
    "pyarrow": "parquet",
    "datasets": "datasets",
    "pandas": "notebook",
    "psycopg": "postgres",
    "langgraph.checkpoint.postgres": "postgres",
    "authlib": "sso",
    "langchain_anthropic": "anthropic",
    "wordllama": "embeddings",
}
"""Module -> extra."""


def extra_of(module: str) -> str | None:
    """The extra that brings a module, or a part of it; None where none does."""
    found = [extra for name, extra in EXTRAS.items() if module == name or module.startswith(f"{name}.")]
    return found[0] if found else None


def absent_extras() -> list[str]:
    """The extras of which something is not installed here."""
    return sorted({extra for module, extra in EXTRAS.items() if not _is_there(module)})


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of what it is a part of
        return False
