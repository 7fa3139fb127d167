"""A model reads answers before they are sent: what it says is kept, and the answer before it stays the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from rich.console import Console
from sqlalchemy import select

from solon import Project, judge
from solon.agents.checker import DraftedRemark, GivenAnswer, _as_remark
from solon.agents.models.scripted import ScriptedChat
from solon.cli.show import draw
from solon.errors import ConfigError, ModelUnavailable
from solon.learning.evidence import is_drawn_at_random
from solon.review.rendering import environment
from solon.review.schemas.queue import BlindItem
from solon.store.learning.evidence import blind_answers, counted_decisions
from solon.store.records.lineage import trace
from solon.store.reviewing.adjudicating import list_cases
from solon.store.reviewing.checks import MOST
from solon.store.reviewing.experts import add_expert
from solon.store.runs.runs import find_run
from solon.store.tables import assignments, decisions, reviews, texts

pytestmark = pytest.mark.anyio

DOUBT = {"kind": "contradiction", "text": "The reason speaks of <b>money</b>, not of a card.", "cites": []}
INVENTED = {"kind": "principle", "text": "This breaks a rule.", "cites": ["no-such-rule"]}
UNHEARD_OF = {"kind": "style", "text": "This is dull.", "cites": []}


@judge("card-or-transfer", "1")
def sorter(answer: str) -> str:
    return "card" if "card" in answer else "transfer"


class Labelling:
    """A run of sixty texts of which forty are asked, ten of them drawn at random; a checker that says `says`."""

    def __init__(self, folder: Path) -> None:
        self.says: Any = {"remarks": [DOUBT, INVENTED, UNHEARD_OF]}
        self.asked: list[str] = []
        config = {
            "models": {"default": {"model": "scripted:default"}, "reader": {"model": "scripted:reader"}},
            "label": {"labels": ["card", "transfer"]},
            "judges": [{"python": f"{__name__}:sorter"}],
            "routing": {
                "policy": "budget", "budget": 40, "explore": 0.25, "diversity": 0.0, "audit_share": 0.0
            },
        }  # fmt: skip
        models = {"reader": ScriptedChat(respond=self._respond)}
        self.project = Project(f"sqlite:///{folder}/s.db", config=config, models=models)
        self.project.plugins = {f"{__name__}:sorter": sorter}
        self.project.store.key = "5a" * 32
        words = ("the card is gone", "money was sent")
        seeds = [{"id": f"t{n}", "prompt": f"{words[n % 2]} {n}"} for n in range(60)]
        self.project.run("label-panel", seeds)

    def _respond(self, question: Any) -> Any:
        assert question.role == "checker"
        self.asked.append(question.prompt)
        return self.says

    def rows(self) -> list[Any]:
        query = select(decisions, reviews.c.inclusion).join(reviews, reviews.c.id == decisions.c.review_id)
        with self.project.store.connect() as connection:
            return list(connection.execute(query))


@pytest.fixture
def labelling(tmp_path: Path) -> Iterator[Labelling]:
    made = Labelling(tmp_path)
    with made.project:
        yield made


def answer_with(choice: str, why: str = "money was sent") -> dict[str, Any]:
    return {"choice": choice, "rationale": why}


async def check(http: Any, item: Any, choice: str) -> Any:
    place = f"/api/v1/assignments/{item['assignment']}/check"
    return await http.post(place, json={"answer": answer_with(choice)})


async def send(http: Any, item: Any, choice: str, why: str = "money was sent", **more: Any) -> Any:
    sent = {"token": item["token"], "answer": {**answer_with(choice, why), **more}}
    told = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=sent)
    assert told.status_code == 200, told.text
    return told.json()


async def test_what_it_says_is_kept_and_the_answer_before_it_is_the_evidence(
    labelling: Labelling, serving: Any, client: Any
) -> None:
    """Everybody's answer is changed after the check, on every second question."""
    project = labelling.project
    ada, token = add_expert(project.store, "Ada", role="expert", by="local:test")
    n = 0
    async with serving(project, check="reader") as app, client(app, token) as http:
        while (item := (await http.post("/api/v1/next")).json()["item"]) is not None:
            assert item["may_check"]
            told = (await check(http, item, "card")).json()
            assert told == {
                "made": True,
                "remarks": [DOUBT],
                "message": "1 thing may be wrong, as a model says. Change your answer, or send it as it is.",
            }, "what cites no rule that there is is left out"
            await send(http, item, "transfer" if n % 2 else "card")
            n += 1
    assert n == 40
    assert "[answer " in labelling.asked[0]
    assert "sorter" not in labelling.asked[0], "it reads nothing of what the panel said"
    rows = labelling.rows()
    changed = [row for row in rows if row.choice == "transfer"]
    assert {(row.counts, tuple(row.checked["changed"])) for row in changed} == {(False, ("choice",))}
    assert {(row.counts, tuple(row.checked["changed"])) for row in rows if row.choice == "card"} == {
        (True, ())
    }
    assert {row.checked["first"]["choice"] for row in rows} == {"card"}
    with project.store.connect() as connection:
        run = find_run(connection)
        measured = counted_decisions(connection, project.store.key, [run.id])
        taught = counted_decisions(connection, project.store.key, [run.id], voted=True)
        blind = [one for one in blind_answers(connection) if one.actor == ada.actor]
    assert (len(measured), {one.choice for one in measured}) == (40, {"card"}), "none is lost to the sample"
    assert (len(blind), {one.outcome for one in blind}) == (40, {"card"})
    drawn = [one for one in taught if is_drawn_at_random(one)]
    assert (len(drawn), {one.choice for one in drawn}) == (10, {"card"}), (
        "certificates test the blind answers"
    )
    rest = [one for one in taught if not is_drawn_at_random(one)]
    assert {one.choice for one in rest if one.suggested} == {"transfer"}, "elsewhere the last answer teaches"
    found = project.evaluate("agreement")
    assert found.n == 40
    said = (
        f"a model read 40 answers before they were sent: it remarked on 40, and {len(changed)} were changed"
    )
    assert any(note.startswith(said) for note in found.notes)
    [told] = trace(project.store, changed[0].id)["decisions"]
    assert (told["checked"]["choice"], told["checked"]["remarks"]) == ("card", [DOUBT])
    assert (told["checked"]["before"], told["choice"]) == ({"choice": "card"}, "transfer")
    console = Console(width=200)
    with console.capture() as printed:
        console.print(draw(trace(project.store, changed[0].id)))
    assert "it said, contradiction: The reason speaks of <b>money</b>" in printed.get()
    assert "changed since, choice: card -> transfer" in printed.get()
    _, lead = add_expert(project.store, "Lea", role="lead", by="local:test")
    async with serving(project) as app, client(app) as browser:
        await browser.post("/login", data={"token": lead})
        page = (await browser.get(f"/lead/items/{changed[0].item_id}")).text
    assert "Answered card at first." in page
    assert "The reason speaks of &lt;b&gt;money&lt;/b&gt;" in page
    with project.store.transaction() as connection:
        one = dict(connection.execute(select(decisions).limit(1)).mappings().one()) | {"undone_at": 1.0}
        connection.execute(decisions.insert(), [{**one, "id": f"more {n}"} for n in range(100)])
        again = counted_decisions(connection, project.store.key, [run.id])
    assert again == measured, "the same from the items' side, where the store has more decisions than these"


@pytest.mark.parametrize(
    ("kind", "cites", "stands"),
    [
        ("principle", ["[true-claims]"], True),
        ("principle", ["d1"], False),
        ("precedent", ["d1", "no-such"], True),
        ("precedent", ["true-claims"], False),
        ("style", ["true-claims"], False),
        ("contradiction", [], False),
        ("missing_reason", [], True),
    ],
)
def test_a_remark_stands_where_what_it_speaks_of_is_there(kind: str, cites: list[str], stands: bool) -> None:
    drafted = DraftedRemark(kind=kind, text="So it is.", cites=cites)
    given = GivenAnswer("a text", "card", rationale=" ")
    found = _as_remark(drafted, given, frozenset({"true-claims"}), frozenset({"d1"}))
    assert (found is not None) is stands
    assert found is None or set(found.cites) <= {"true-claims", "d1"}


async def test_a_change_of_the_reasons_alone_leaves_an_answer_blind(
    labelling: Labelling, serving: Any, client: Any
) -> None:
    _, token = add_expert(labelling.project.store, "Ada", role="expert", by="local:test")
    async with serving(labelling.project, check="reader") as app, client(app, token) as http:
        item = (await http.post("/api/v1/next")).json()["item"]
        await check(http, item, "card")
        await send(http, item, "card", why="a card is spoken of")
    [row] = labelling.rows()
    assert (row.counts, row.checked["changed"]) == (True, ["rationale"])


@pytest.mark.parametrize(
    ("sent", "flags", "other", "cases"),
    [
        ("card", ["unsafe"], "transfer", 1),
        ("transfer", [], "card", 1),
        ("transfer", [], "transfer", 0),
    ],
)
async def test_what_two_people_send_is_compared_also_where_one_of_them_changed_it_after_a_check(
    labelling: Labelling, serving: Any, client: Any, sent: str, flags: list[str], other: str, cases: int
) -> None:
    """A lead settles in what the sent answers differ; what measures people is still the answer before the check."""
    project = labelling.project
    _, ada = add_expert(project.store, "Ada", role="expert", by="local:test")
    _, bo = add_expert(project.store, "Bo", role="expert", by="local:test")
    async with serving(project, check="reader", answers=2) as app:
        async with client(app, ada) as http:
            item = (await http.post("/api/v1/next")).json()["item"]
            await check(http, item, "card")
            await send(http, item, sent, flags={item["candidates"][0]["id"]: flags} if flags else {})
        async with client(app, bo) as http:
            with project.store.connect() as connection:
                again = connection.execute(
                    select(reviews.c.id).where(reviews.c.kind == "overlap")
                ).scalar_one()
            item = (await http.post(f"/api/v1/reviews/{again}/lease")).json()
            await send(http, item, other)
    with project.store.connect() as connection:
        found = list_cases(connection)
        blind = {one.outcome for one in blind_answers(connection)}
    assert len(found) == cases
    assert all({one.outcome for one in case.given} == {sent, other} for case in found)
    assert blind == {"card", other}


async def test_a_check_is_remembered_when_the_answer_is_taken_back(
    labelling: Labelling, serving: Any, client: Any
) -> None:
    """Else whoever has heard it would answer blind again."""
    _, token = add_expert(labelling.project.store, "Ada", role="expert", by="local:test")
    async with serving(labelling.project, check="reader", work=True) as app, client(app, token) as http:
        item = (await http.post("/api/v1/next")).json()["item"]
        await check(http, item, "card")
        made = await send(http, item, "card")
        back = (await http.post(f"/api/v1/decisions/{made['decision']}/undo")).json()
        assert back["item"] is not None
        await send(http, back["item"], "transfer")
    last = next(row for row in labelling.rows() if row.undone_at is None)
    assert (last.choice, last.counts, last.checked["first"]["choice"]) == ("transfer", False, "card")


@pytest.mark.parametrize("failure", [ModelUnavailable("gone"), "no JSON", {"remarks": "none"}])
async def test_a_model_that_fails_stands_in_nobodys_way(
    labelling: Labelling, serving: Any, client: Any, failure: Any
) -> None:
    labelling.says = failure
    _, token = add_expert(labelling.project.store, "Ada", role="expert", by="local:test")
    async with serving(labelling.project, check="reader") as app, client(app, token) as http:
        item = (await http.post("/api/v1/next")).json()["item"]
        told = (await check(http, item, "card")).json()
        assert (told["made"], told["remarks"]) == (False, [])
        await send(http, item, "transfer")
    [row] = labelling.rows()
    assert (row.counts, row.checked) == (True, None), "nothing was told, so nothing is noted"


async def test_what_is_refused(labelling: Labelling, serving: Any, client: Any) -> None:
    _, token = add_expert(labelling.project.store, "Ada", role="expert", by="local:test")
    _, worker = add_expert(labelling.project.store, "Ben", role="worker", by="local:test")
    async with serving(labelling.project) as app, client(app, token) as http:
        item = (await http.post("/api/v1/next")).json()["item"]
        assert not item["may_check"]
        assert "Check my answer" not in environment().get_template("_item.html").render(
            item=BlindItem(**item)
        )
        assert (await check(http, item, "card")).status_code == 404, "it is off by default"
    async with serving(labelling.project, check="reader") as app:
        async with client(app, token) as http:
            item = (await http.post("/api/v1/next")).json()["item"]
            assert "Check my answer" in environment().get_template("_item.html").render(
                item=BlindItem(**item)
            )
            assert (await check(http, item, "skip")).status_code == 422
            assert (await check(http, item, "cart")).status_code == 422
            for _ in range(MOST):
                assert (await check(http, item, "card")).status_code == 200
            assert (await check(http, item, "card")).status_code == 409
            await send(http, item, "card")
            assert (await check(http, item, "card")).status_code == 409, "it is sent already"
        async with client(app, worker) as http:
            item = (await http.post("/api/v1/next")).json()["item"]
            assert not item["may_check"]
            assert (await check(http, item, "card")).status_code == 404, "votes are given alone"


async def test_what_was_said_is_forgotten_with_its_text(
    labelling: Labelling, serving: Any, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where tombstones go beside a store that is no file
    _, token = add_expert(labelling.project.store, "Ada", role="expert", by="local:test")
    async with serving(labelling.project, check="reader") as app, client(app, token) as http:
        item = (await http.post("/api/v1/next")).json()["item"]
        await check(http, item, "card")
        await send(http, item, "card")
    project = labelling.project
    [row] = labelling.rows()
    with project.store.connect() as connection:
        body = connection.execute(
            select(texts.c.body).where(texts.c.id == row.checked["said"][0])
        ).scalar_one()
    assert "money" in body
    project.forget(f"t{int(item['prompt'].split()[-1])}")
    with project.store.connect() as connection:
        bodies = [body or "" for body in connection.execute(select(texts.c.body)).scalars()]
        held = connection.execute(select(assignments.c.checked)).scalars().all()
    assert not any(DOUBT["text"] in body for body in bodies)
    assert not any("money" in str(one) for one in held)


def test_a_model_that_is_none_is_named() -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "review": {"check": "reader"}}
    with pytest.raises(ConfigError, match=r"review.check = 'reader'"):
        Project("sqlite://", config=config)


async def test_an_earlier_view_of_the_panel_makes_no_answer_blind(
    labelling: Labelling, serving: Any, client: Any
) -> None:
    _, token = add_expert(labelling.project.store, "Ada", role="expert", by="local:test")
    async with serving(labelling.project, check="reader") as app, client(app, token) as http:
        item = (await http.post("/api/v1/next")).json()["item"]
        await http.post(f"/api/v1/assignments/{item['assignment']}/reveal")
        await check(http, item, "card")
        await send(http, item, "transfer")
    with labelling.project.store.connect() as connection:
        run = find_run(connection)
        assert counted_decisions(connection, labelling.project.store.key, [run.id], voted=True) == []
        assert blind_answers(connection) == []
    [row] = labelling.rows()
    assert row.checked["blind"] is False
