"""What a lead sees of the scores by which candidates were ranked: on the item's page and in its lineage, no votes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from cases import CONFIG

from solon.project import Project


def test_a_lead_sees_the_scores_of_each_candidate(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    config = {
        **CONFIG,
        "generator": {"n": 3, "temperatures": [0.3, 0.6, 0.9]},
        "routing": {"policy": "always"},
    }
    with Project(project.store.url, config=config) as more:
        more.run("preference", ["Why is the sky blue?"])
        [review] = [one for one in more.reviews() if one.prompt == "Why is the sky blue?"]
    _, token = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http, client(app) as browser:
            way = (await http.get(f"/api/v1/reviews/{review.id}")).json()
            assert len(way["shortlist"]) == 3 * len(CONFIG.get("judges", (1, 2)))
            assert {row["b_id"] is None for row in way["verdicts"]} == {False}
            await browser.post("/login", data={"token": token})
            page = (await browser.get(f"/lead/items/{way['item']['id']}")).text
            assert "Scores of the shortlist" in page
            for row in way["shortlist"]:
                told = ", ".join(f"{name} {score}" for name, score in sorted(row["scores"].items()))
                assert told in page

    asyncio.run(go())
