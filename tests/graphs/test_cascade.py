"""A cascade of judges: the strong one is asked only where the cheap one is not sure enough, and nothing is asked twice.

Both judges are scripted, so these tests show that the machinery holds; they claim no rate of agreement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon.agents.models.scripted import Scripted, ScriptedChat
from solon.config import parse_config
from solon.errors import ConfigError, ModelUnavailable
from solon.operations.preview import preview
from solon.project import Project
from solon.store import tables
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.tables import table_of

PRICE = {"cheap": 1.0, "strong": 20.0}
Sure = Callable[[str], float]


def judge_by(sure: Sure) -> Callable[[Any], Any]:
    """Prefers the good answer with the probability that `sure` gives for the prompt; the critic finds nothing."""

    def answer(question: Any) -> Any:
        if question.role == "critic":
            return {"findings": []}
        prompt = question.prompt
        good = sure(prompt)
        first = good if prompt.index("GOOD") < prompt.index("POOR") else 1 - good
        return Scripted("A" if first >= 0.5 else "B", {"A": first, "B": 1 - first})

    return answer


def cheap(prompt: str) -> float:
    return 0.45 if "hard" in prompt or "hopeless" in prompt else 0.97


def strong(prompt: str) -> float:
    return 0.5 if "hopeless" in prompt else 0.99


def seeds(*kinds: str) -> list[dict[str, Any]]:
    texts = ("GOOD, this one helps with {}", "POOR, this one misses {}")
    return [
        {"id": f"{kind}-{i}", "prompt": f"an {kind} question, number {i}",
         "responses": [{"text": text.format(i), "source": "x"} for text in texts]}
        for i, kind in enumerate(kinds)
    ]  # fmt: skip


class Bench:
    """A project with one chat behind each tier; `open` begins it again, as another process would."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.chats = {
            name: ScriptedChat(name=name, respond=judge_by(sure))
            for name, sure in (("default", cheap), ("cheap", cheap), ("strong", strong))
        }
        self.settings = {
            "models": {
                name: {"model": f"scripted:{name}", "price": {"input": price, "output": price}}
                for name, price in {"default": 0.0, **PRICE}.items()
            },
            "generator": {"revise": False},
            "resolver": {"enabled": False},
            "judges": [{"model": "cheap"}, {"model": "strong", "tier": 1}],
            "routing": {"policy": "threshold", "audit_share": 0.0},
            **sections,
        }
        self.project = self.open()

    def open(self) -> Project:
        return Project(self.url, config=self.settings, models=self.chats)

    def again(self) -> None:
        self.project.close()
        self.project = self.open()

    def asked(self) -> dict[str, int]:
        return {name: self.chats[name].calls_by_role.get("judge", 0) for name in PRICE}

    def rows(self, table: str) -> list[Mapping[str, Any]]:
        columns = table_of(getattr(tables, table))
        with self.project.store.connect() as connection:
            return list(connection.execute(select(columns)).mappings().all())

    def named(self, table: str) -> dict[str, Mapping[str, Any]]:
        """Rows by the name of their seed."""
        names = {row["id"]: row["external_id"] for row in self.rows("Seed")}
        items = {row["id"]: names[row["seed_id"]] for row in self.rows("Item")}
        return {items[row["item_id"]]: row for row in self.rows(table)}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make_(**sections: Any) -> Bench:
        made.append(Bench(tmp_path, **sections))
        return made[-1]

    yield make_
    for bench in made:
        bench.project.close()


def test_only_escalated_items_reach_the_strong_judge(make: Callable[..., Bench]) -> None:
    bench = make()
    found = bench.project.run("preference", seeds(*["easy"] * 8, "hard", "hopeless"))
    assert (found.accepted, found.pending_review) == (9, 1)
    assert bench.asked() == {"cheap": 20, "strong": 4}
    records = bench.named("Record")
    assert {name.split("-")[0]: row["tier"] for name, row in records.items()} == {"easy": 0, "hard": 1}
    (review,) = bench.rows("Review")
    told = {reason["code"]: reason for reason in review["reasons"]}
    assert told["tier"] == {"code": "tier", "text": "judges up to tier 1 of 0 to 1 were asked", "value": 1}
    cost = dict.fromkeys(PRICE, 0.0)
    for call in bench.rows("Call"):
        if call["role"] == "judge":
            cost[call["model"].split(":")[1]] += call["cost"]
    always = cost["cheap"] + 5 * cost["strong"]
    assert sum(cost.values()) < 0.3 * always, "two of ten items paid for the strong judge"


def test_what_crashed_or_is_replayed_asks_no_judge_twice(make: Callable[..., Bench]) -> None:
    bench = make()
    whole = judge_by(strong)
    bench.chats["strong"].respond = lambda _: ModelUnavailable("no answer")
    with pytest.raises(ModelUnavailable):
        bench.project.run("preference", seeds("easy", "hard", "hopeless"))
    states = {
        name: row["state"]
        for name, row in zip(
            ("easy", "hard", "hopeless"),
            sorted(bench.rows("Item"), key=lambda row: row["position"]),
            strict=True,
        )
    }
    assert states == {"easy": "accepted", "hard": "queued", "hopeless": "queued"}
    broken = bench.asked()["strong"]
    bench.chats["strong"].respond = whole
    bench.again()
    found = bench.project.resume()
    assert (found.accepted, found.pending_review) == (2, 1)
    assert bench.asked() == {"cheap": 6, "strong": broken + 4}
    # A lost checkpoint: the waiting item is replayed up to its review, and decided, at no model cost.
    before, (review,) = bench.asked(), bench.project.reviews()
    bench.project.decide(review, "prefer", review.candidates[0])
    bench.project.close()
    for file in Path(bench.url.removeprefix("sqlite:///")).parent.glob("*.checkpoints.db*"):
        file.unlink()
    bench.project = bench.open()
    assert bench.project.resume().accepted == 3
    assert bench.asked() == before
    assert bench.named("Record")["hopeless-2"]["tier"] == 1


def test_every_judge_sees_what_people_decide_whatever_the_panel_says(make: Callable[..., Bench]) -> None:
    bench = make(routing={"policy": "pilot", "pilot": 4, "pilot_share": 0.5, "audit_share": 0.0})
    bench.project.run("preference", seeds(*["easy"] * 12))
    assert bench.asked() == {"cheap": 24, "strong": 8}, "the pilot is asked of all, the rest of the cheap one"
    assert {row["rule"] for row in bench.rows("Review")} == {"pilot"}


def test_tiers_get_cuts_of_their_own_and_items_follow_them(make: Callable[..., Bench]) -> None:
    bench = make(
        consensus={"texts": False},  # the answers that are drawn here can be told from their texts alone
        routing={"policy": "pilot", "pilot": 120, "pilot_share": 0.75, "audit_share": 0.0, "alpha": 0.3, "delta": 0.3}
    )  # fmt: skip
    bench.project.store.key = (
        "5a" * 32
    )  # which decisions are held out follows from it: the same ones every time
    bench.project.run("preference", seeds(*["easy", "hard"] * 80))
    with bench.project.store.connect() as connection:
        waiting = list_reviews(connection, limit=1000)
    for review in waiting:
        answer = {"choice": "prefer", "candidate": review.candidates[0]}
        decide(bench.project.store, review.id, answer, actor="expert:one", channel="api", counts=True)
    before = bench.asked()
    bench.project.resume()
    bench.project.learn()
    bench.project.resume()
    assert bench.asked() == before, "what the first tier keeps is not asked again"
    (certificate,) = bench.rows("Certificate")
    tiers = certificate["figures"]["tiers"]
    assert [tier["threshold"] is not None for tier in tiers] == [True, True]
    assert sum(tier["delta"] for tier in tiers) == pytest.approx(certificate["spent_delta"])
    assert certificate["threshold"] == tiers[1]["threshold"]
    rows = [row for row in bench.named("Record").items() if row[1]["superseded_at"] is None]
    certified = [(name.split("-")[0], row["tier"]) for name, row in rows if row["certificate_id"]]
    assert set(certified) >= {("easy", 0), ("hard", 1)}
    (version,) = [row["payload"] for row in bench.rows("ConsensusVersion") if row["number"] > 0][-1:]
    assert version["seats"] == [0, 1]
    assert list(version["tiers"][0]["weights"]) == ["scripted:cheap"]


def test_previews_and_plans_count_the_strong_judge_as_a_range(make: Callable[..., Bench]) -> None:
    from solon.operations.planning import make_plan

    bench = make()
    found = preview("preference", seeds(*["easy"] * 3, "hard"), bench.project, n=4, draw=1)
    assert sorted(item.calls for item in found.items) == [4, 4, 4, 6]
    assert (found.whole["calls"].low, found.whole["calls"].high) == (16, 24)
    config = parse_config({**bench.settings, "judges": [{"model": "cheap"}]})
    alone = make_plan(config, items=100, experts=1, minutes=1, days=1).calls
    both = make_plan(parse_config(bench.settings), items=100, experts=1, minutes=1, days=1).calls
    assert both.low == alone.low
    assert alone.likely < both.likely < both.high
    assert both.high == pytest.approx(alone.high + 100 * 2 * 2)


def test_tiers_are_numbered_without_a_gap() -> None:
    with pytest.raises(ConfigError, match="none has tier 1; number them 0, 1, 2"):
        parse_config({"judges": [{}, {"tier": 2}]})
    with pytest.raises(ConfigError, match="none has tier 0"):
        parse_config({"judges": [{"tier": 1}]})


def test_a_panel_without_a_cascade_is_the_panel_that_it_was() -> None:
    config = parse_config({"judges": [{}, {"persona": "a sceptic"}]})
    other = parse_config({"judges": [{}, {"persona": "a sceptic", "tier": 1}]})
    quiet = config.model_copy(update={"routing": config.routing.model_copy(update={"own_family": True})})
    assert quiet.fingerprint() == config.fingerprint()
    assert config.panel_fingerprint() != other.panel_fingerprint()
    assert config.fingerprint() != other.fingerprint()
