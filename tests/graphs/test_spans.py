"""The recipe of spans: readings are merged and vote, decisions become examples, and brought spans are checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon import Project
from solon.agents import marker
from solon.config import parse_config
from solon.errors import ConfigError, SeedError
from solon.recipes.makers import Mark, count_drafts
from solon.spans import read_spans
from solon.store.tables import calls, candidates, items, seeds, texts, verdicts

KINDS = ["person", "place"]
TEXTS = ("We saw Ada in Oslo today.", "We saw Leila in Rome today.", "Nothing of that sort at all.")


def config(script: Path | None = None, **spans: Any) -> dict[str, Any]:
    return {
        "models": {"default": {"model": f"scripted:{script or 'default'}"}},
        "spans": {"kinds": KINDS, **spans},
        "routing": {"policy": "threshold", "threshold": 0.35, "max_redrafts": 0},
    }


def answers(folder: Path, *said: dict[str, Any] | str) -> Path:
    """A script that gives these answers by turns, one to a reading."""
    place = folder / "script.json"
    rules = [{"schema": "MarkedSpans", "answer": one, "times": 1} for one in said]
    place.write_text(json.dumps(rules))
    return place


def marked(*spans: tuple[str, str, int]) -> dict[str, Any]:
    return {"spans": [{"quote": quote, "label": label, "start": start} for quote, label, start in spans]}


def rows(project: Project, *columns: Any, of: Callable[[Any], Any] = lambda query: query) -> list[Any]:
    with project.store.connect() as connection:
        return list(connection.execute(of(select(*columns))).all())


def test_readings_are_merged_counted_and_vote(tmp_path: Path) -> None:
    script = answers(
        tmp_path,
        marked(("Ada", "person", 7), ("Oslo", "place", 14)),
        marked(("Ada", "person", 0), ("Oslo", "place", 14), ("Paris", "place", 3)),
        marked(("Ada", "person", 7), ("today", "time", 19)),
    )
    with Project(
        f"sqlite:///{tmp_path}/s.db", config=config(script) | {"run": {"concurrency": 1}}
    ) as project:
        summary = project.run("label-spans", [{"id": "a", "prompt": TEXTS[0]}])
        found = rows(
            project,
            candidates.c.kind,
            texts.c.body,
            of=lambda q: q.join(texts, texts.c.id == candidates.c.text_id),
        )
        assert summary.items == 1
        merged = [read_spans(body) for kind, body in found if kind == "merged"]
        assert [[span.quote(TEXTS[0]) for span in one or ()] for one in merged] == [["Ada", "Oslo"]]
        told = [json.loads(body) for kind, body in found if kind == "draft"]
        assert sorted((one["repaired"], one["dropped"]) for one in told) == [(0, 0), (0, 1), (1, 1)]
        votes = [(row.judge, row.outcome) for row in rows(project, verdicts.c.judge, verdicts.c.outcome)]
        assert sorted(outcome for _, outcome in votes) == ["changed", "stands", "stands"]
        assert len({judge for judge, _ in votes}) == 1, "readings of one model are one voter"
        placed = project.evaluate("spans")
        assert (placed.stood.n, placed.repaired.value, placed.dropped.value) == (7, 1 / 7, 2 / 7)


def test_what_people_decided_is_shown_with_similar_texts_and_never_with_itself(tmp_path: Path) -> None:
    asks = config(examples=1) | {"routing": {"policy": "always"}}
    brought = [
        {
            "id": "ada",
            "prompt": TEXTS[0],
            "group": "g",
            "spans": [{"start": 7, "end": 10, "label": "person"}],
        },
        {"id": "none", "prompt": TEXTS[2], "spans": []},
    ]
    with Project(f"sqlite:///{tmp_path}/s.db", config=asks) as project:
        project.run("label-spans", brought)
        token = project.add_expert("ada")
        for review in project.reviews():
            project.decide(review, "stands", rationale="As they are.", expert=token)
        project.resume()
        more = [
            {"id": "leila", "prompt": TEXTS[1]},
            {"id": "same", "prompt": f"{TEXTS[0]} Yes.", "group": "g"},
        ]
        project.run("label-spans", more)
        prompts = {
            row.external_id: row.body
            for row in rows(
                project, seeds.c.external_id, texts.c.body,
                of=lambda q: q.select_from(calls).join(items, items.c.id == calls.c.item_id)
                .join(seeds, seeds.c.id == items.c.seed_id).join(texts, texts.c.id == calls.c.prompt_id),
            )
        }  # fmt: skip
        assert '{"quote": "Ada", "label": "person", "start": 7}' in prompts["leila"]
        assert TEXTS[2] in prompts["same"], "an example of one's own group is none"
        assert '"Ada"' not in prompts["same"]
        noted = rows(project, items.c.examples, of=lambda q: q.where(items.c.examples.is_not(None)))
        assert all(len(one.examples) == 1 for one in noted), "what was shown is noted with the item"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"spans": [{"start": 0, "end": 99, "label": "person"}]}, "spans[0] is [0, 99), out of range"),
        ({"spans": [{"start": 0, "end": 2, "label": "Person"}]}, "did you mean 'person'?"),
        ({"spans": {"start": 0}}, "no list"),
        ({"responses": [{"text": "x"}]}, "leave responses out"),
        ({"prompt": "   "}, "prompt is empty"),
    ],
)
def test_a_row_that_cannot_be_is_named_with_key_and_value(
    tmp_path: Path, row: dict[str, Any], told: str
) -> None:
    with (
        Project(f"sqlite:///{tmp_path}/s.db", config=config()) as project,
        pytest.raises(SeedError) as error,
    ):
        project.run("label-spans", [{"prompt": TEXTS[0], **row}])
    assert told in str(error.value)
    assert "line 1" in str(error.value)


def test_spans_need_kinds_and_models(tmp_path: Path) -> None:
    with (
        Project(f"sqlite:///{tmp_path}/s.db", config=config() | {"spans": {}}) as project,
        pytest.raises(ConfigError, match="spans need kinds"),
    ):
        project.run("label-spans", [{"prompt": TEXTS[0]}])
    with pytest.raises(ConfigError, match="differ only in case"):
        Project(f"sqlite:///{tmp_path}/t.db", config=config() | {"spans": {"kinds": ["Person", "person"]}})
    written = parse_config(config() | {"generator": {"models": [], "python": ["mine:write"]}})
    with pytest.raises(ConfigError, match="marked by models"):
        count_drafts(Mark(), written)


def test_a_label_that_is_none_costs_that_span_alone() -> None:
    schema = marker.marked_schema(("person", "place"))
    assert schema.model_json_schema()["$defs"]["MarkedSpan"]["properties"]["label"]["enum"] == KINDS
    read = schema.model_validate({"spans": [{"quote": "x", "label": "time", "start": "seven"}]})
    assert (read.spans[0].label, read.spans[0].start) == ("time", None)
