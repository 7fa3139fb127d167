"""Versioned prompt templates and their loader. Imports `errors`, `reading` and `law` only."""

from solon.prompts.library import Prompt, PromptLibrary, Rendered

__all__ = ["Prompt", "PromptLibrary", "Rendered"]
