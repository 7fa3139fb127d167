"""Models that repeat their prompt: what of it reaches a candidate, and what is said of one that has nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Make = Callable[..., Any]
REQUEST = "Which river flows through the city of Dresden?"


def answering(*, draft: str, revision: str) -> Callable[[Any], Any]:
    """A model that echoes: MARK stands for the mark of the prompt."""

    def answer(question: Any) -> Any:
        mark = re.search(r"\[request (\w+)\]", question.prompt)
        if question.role == "generator":
            text = revision if "[findings " in question.prompt else draft
            return text.replace("MARK", mark.group(1) if mark else "") + f" {question.seed}"
        if question.role == "critic":
            (rule, *_) = re.findall(r"^\[([\w.-]+)\] ", question.system, re.MULTILINE)
            finding = {"principle": rule, "quote": "", "severity": "major", "suggestion": "Name the source."}
            return {"findings": [finding]}
        return None

    return answer


def test_no_echo_is_in_a_candidate(make_desk: Make, store_url: str) -> None:
    echoing = answering(
        draft="[request MARK]\nThe Elbe.\n[end of request MARK]",
        revision="[findings MARK]\n- (major) [general] '': x\n[end of findings MARK]\nThe Elbe, as of 2024.",
    )
    desk = make_desk(store_url, echoing, routing={"policy": "always"})
    assert desk.project.run("preference", [REQUEST]).pending_review == 1
    texts = [desk.text(row["text_id"]) for row in desk.rows("Candidate")]
    assert len(texts) == 4
    assert all(re.fullmatch(r"The Elbe(, as of 2024)?\.\s+\d+", text) for text in texts)


def test_a_draft_of_echoes_alone_is_refused_by_name(make_desk: Make, store_url: str) -> None:
    desk = make_desk(
        store_url,
        lambda question: REQUEST if question.role == "generator" else None,
        routing={"max_redrafts": 0},
    )
    assert desk.project.run("preference", [REQUEST]).rejected == 1
    (item,) = desk.rows("Item")
    assert "2 echo" in item["reason"]
