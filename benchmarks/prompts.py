"""Solon's own prompts with places to fill in, as JSON on standard output: so that the lower bound sends the same bytes.

In a process of its own: the lower bound's memory shall not hold what only Solon needs.
"""

from __future__ import annotations

import json
from typing import Any


def prompts() -> dict[str, Any]:
    """Template -> (system, user), and the critique's response format."""
    from solon.agents.models.structured import response_format
    from solon.agents.outputs import Findings
    from solon.law.documents import load_constitution
    from solon.prompts.library import PromptLibrary

    library, law = PromptLibrary(), load_constitution("general").as_prompt()
    empty = dict.fromkeys(("persona", "input", "guidance", "findings", "reference", "precedents"), "")
    values = {**empty, "constitution": law, "prompt": "<P>", "answer": "<1>", "first": "<1>", "second": "<2>"}
    made: dict[str, Any] = {"schema": response_format(Findings)}
    for name in ("generator.draft", "critic.critique", "judge.pair"):
        prompt = library[name]
        rendered = prompt.render("0a1b2c", **{key: values[key] for key in prompt.variables})
        made[name] = (rendered.system, rendered.user)
    return made


if __name__ == "__main__":
    print(json.dumps(prompts()))
