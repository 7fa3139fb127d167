"""The packages that only some need, which are imported where they are used, and the extra of Solon that installs each.
Imports nothing of Solon."""

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
    "pypdf": "pdf",
    "mcp": "mcp",
    "huggingface_hub": "hub",
}
"""Module that is imported on use -> the extra of Solon that installs it."""


def extra_of(module: str) -> str | None:
    """Return the extra that installs a module or the package it is part of; None where no extra does."""
    extras = [extra for name, extra in EXTRAS.items() if module == name or module.startswith(f"{name}.")]
    return extras[0] if extras else None


def absent_extras() -> list[str]:
    """Return the extras of which at least one package is not installed here, in alphabetical order."""
    return sorted({extra for module, extra in EXTRAS.items() if not _is_there(module)})


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of what it is a part of
        return False
