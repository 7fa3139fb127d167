"""A recipe of one's own on the page: five labels that a panel could not agree on, answered by an expert."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from sqlalchemy import select

from solon import judge
from solon.project import Project
from solon.recipes import Answer, Ask, Choice, Given, Pair, Recipe, Step, StepItem
from solon.recipes.rubrics import ASKED
from solon.review.routes.pages import item_html
from solon.review.schemas.queue import BlindItem
from solon.store.reviewing.experts import add_expert
from solon.store.tables import records

KINDS = ("one", "two", "three", "four", "five")
SORTED = Recipe(
    "sorted",
    record="label",
    maker=Given(),
    question=Choice(KINDS),
    steps=("draft", "judge", "review"),
)


@judge("front", "1")
def front(answer: str, labels: list[str]) -> str:
    return labels[0]


@judge("back", "1")
def back(answer: str, labels: list[str]) -> str:
    return labels[-1]


def test_a_label_of_five_is_answered_on_the_page(
    tmp_path: Path, serving: Any, client: Callable[..., Any]
) -> None:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "judges": [{"python": f"{__name__}:front"}, {"python": f"{__name__}:back"}],
        "routing": {"policy": "threshold", "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/own.db", config=config, recipes=[SORTED]) as project:
        project.plugins = {f"{__name__}:front": front, f"{__name__}:back": back}
        run = project.run("sorted", ["a text", "another text"])
        assert run.pending_review == 2
        _, token = add_expert(project.store, "Ada", role="expert", by="local:test")

        async def answer() -> None:
            async with serving(project, work=True) as app, client(app, token) as http:
                for label in KINDS[1:3]:
                    item = (await http.post("/api/v1/next", json={})).json()["item"]
                    assert tuple(item["choices"]) == KINDS
                    given = {"token": item["token"], "answer": {"choice": label, "rationale": "clear"}}
                    sent = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=given)
                    assert sent.status_code == 200, sent.text

        asyncio.run(answer())
        assert project.resume().accepted == 2
        with project.store.connect() as connection:
            kept = connection.execute(select(records)).all()
        assert sorted(row.label for row in kept) == ["three", "two"]
        [one, other] = (row.soft_label for row in kept)
        assert one == pytest.approx(other), "what the panel makes of a label that none of its judges gave"


async def ask(item: StepItem) -> Ask:
    return Ask(f"Is “{item.prompt}” a question for us?")


SCOPED = Recipe(
    "scoped",
    record="preference",
    maker=Answer(),
    question=Pair(),
    steps=(Step("scope", ask, reads=("prompt",), may=(Ask,)), "draft", "judge", "review"),
)


def test_a_request_is_asked_about_on_the_page_before_anything_is_drafted(
    tmp_path: Path, serving: Any, client: Callable[..., Any]
) -> None:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "never", "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/own.db", config=config, recipes=[SCOPED]) as project:
        project.run("scoped", ["Why is the sky blue?"])
        _, token = add_expert(project.store, "Ada", role="expert", by="local:test")

        async def answer() -> None:
            async with serving(project, work=True) as app, client(app, token) as http:
                item = (await http.post("/api/v1/next", json={})).json()["item"]
                assert (item["choices"], item["candidates"]) == (["go_on", "reject"], [])
                assert item["asks"] == "Is “Why is the sky blue?” a question for us?"
                assert "a question for us?" in item_html(app.state.room, BlindItem.model_validate(item))
                given = {"token": item["token"], "answer": {"choice": "go_on", "rationale": "ours"}}
                sent = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=given)
                assert sent.status_code == 200, sent.text

        asyncio.run(answer())
        assert project.resume().accepted == 1
        assert project.learned()["counted"] == 0, "whether a request may go on says nothing of the panel"


def test_a_drafted_rubric_is_corrected_on_the_page(
    tmp_path: Path, serving: Any, client: Callable[..., Any]
) -> None:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "law": {"seed_rubrics": "drafted"},
        "routing": {"policy": "never"},
    }
    with Project(f"sqlite:///{tmp_path}/own.db", config=config) as project:
        assert project.run("preference", ["The tap <b>drips</b>. What now?"]).pending_review == 1
        drafted = project.reviews()[0].asks.split("\n- ")[1:]
        _, token = add_expert(project.store, "Ada", role="expert", by="local:test")

        async def answer() -> None:
            language = tmp_path / "de.toml"
            language.write_text(f'language = "de"\n[told]\n"{ASKED}" = "Sind das die Kriterien?"\n')
            async with serving(project, work=True, language=str(language)) as app, client(app, token) as http:
                item = (await http.post("/api/v1/next", json={})).json()["item"]
                assert item["fields"]["criteria"]["default"] == drafted
                assert item["asks"].startswith(ASKED), "programs are told in English"
                page = item_html(app.state.room, BlindItem(**item))
                assert "What shall judges go by?" in page
                assert "Sind das die Kriterien?" in page
                assert ASKED not in page
                assert f'data-type="array">{escape(chr(10).join(drafted))}</textarea>' in page
                url = f"/api/v1/reviews/{item['review']}/decision"
                for lines, status in (([], 422), (["0: a"], 422), (["3: Closes the valve."], 200)):
                    given = {"token": item["token"], "answer": {"choice": "go_on", "criteria": lines}}
                    sent = await http.post(url, json=given)
                    assert sent.status_code == status, sent.text

        asyncio.run(answer())
        assert project.resume().accepted == 1
        [own] = project.trace(project.records()[0].id)["seed_rubric"]["criteria"]
        assert own["text"] == "Closes the valve."
