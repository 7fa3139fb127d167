"""Versioned prompt templates and their loader."""

from solon.prompts.library import Prompt, PromptLibrary, Rendered

__all__ = ["Prompt", "PromptLibrary", "Rendered"]
