"""How principles fare, weights fitted to decisions, scopes by domain, and what an impact run leaves to read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text

from solon import Project
from solon.agents.models.scripted import ScriptedChat
from solon.agents.models.scripted_answers import Question
from solon.consensus.criteria import LEAST, fit_weights
from solon.errors import UsageError
from solon.law.documents import dump_yaml, load_constitution, parse_constitution
from solon.law.scopes import covers, domains_of, narrowest
from solon.lawmaking.drafting import import_law, law_in_force, propose
from solon.lawmaking.weights import weigh
from solon.store.lawmaking.amendments import count_votes
from solon.store.lawmaking.precedents import precedents_under
from solon.store.lawmaking.principles import Use, count_uses
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.laws import versions_in_force
from solon.store.tables import table_of
from solon.store.tables.amendments import Amendment
from solon.store.tables.law import Precedent

from .conftest import CONFIG, RULE, Court
from .test_lawmaking import cast, draft, measure, query

# Principles -----------------------------------------------------------------------------------------------------


def test_citations_are_counted_by_source_and_by_the_side_that_won(court: Court) -> None:
    """Decided pairs: a critic against the loser, a judge for it, a resolver for the winner, an expert for theirs."""
    with court.store.transaction() as connection:
        pairs = connection.execute(
            text(
                "SELECT d.item_id, d.candidate_id, c.id FROM decisions d JOIN candidates c ON c.item_id = d.item_id "
                "AND c.id != d.candidate_id ORDER BY d.id LIMIT 10"
            )
        ).all()
        for item, won, lost in pairs:
            for table in ("critiques", "resolutions"):
                connection.execute(text(f"DELETE FROM {table} WHERE item_id = '{item}'"))
            values = f"'{item}', 0, '{lost}', 'major', '[\"avoids-harm\"]', 0"
            connection.execute(
                text(
                    "INSERT INTO critiques (id, item_id, attempt, candidate_id, worst, principles, created_at) "
                    f"VALUES ('c{item}', {values})"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO resolutions (id, item_id, attempt, round, favours_id, cites, created_at) VALUES "
                    f"('r{item}', '{item}', 0, 0, '{won}', '[\"avoids-harm\", \"unknown\"]', 0)"
                )
            )
            connection.execute(
                text(f"INSERT INTO texts (id, body) VALUES ('t{item}', 'by avoids-harm, not harm')")
            )
            connection.execute(
                text(
                    f"UPDATE verdicts SET rationale_id = 't{item}', outcome = CASE a_id WHEN '{lost}' THEN 'A' "
                    f"ELSE 'B' END WHERE item_id = '{item}'"
                )
            )
            connection.execute(
                text(f"UPDATE decisions SET principles = '[\"avoids-harm\"]' WHERE item_id = '{item}'")
            )
    with court.store.connect() as connection:
        law = law_in_force(connection, court.project.config, "constitution")
        uses = {use.id: use for use in count_uses(connection, law)}
    found = uses["avoids-harm"].uses
    assert found["critics"] == Use(10, 10, 10, (10, 10))
    assert found["judges"] == Use(20, 20, 0, (0, 20))  # both orders of one judge
    assert found["resolver"] == Use(10, 10, 10, (10, 10))
    assert found["experts"] == Use(10, 10, 10, (10, 10))
    assert "unknown" not in uses
    assert found["critics"].interval[0] > 0.6
    told = json.loads(json.dumps(uses["avoids-harm"].to_json()))
    assert told["judges"]["rate"] == 0.0
    assert all(use.uses["experts"].cited == 0 for name, use in uses.items() if name != "avoids-harm")


# Impact runs stay apart -----------------------------------------------------------------------------------------


def test_an_impact_run_leaves_nothing_beside_the_items_that_it_was_about(court: Court) -> None:
    items = [row[0] for row in query(court, "SELECT id FROM items")]
    before = {item: len(court.project.trace(item)["calls"]) for item in items[:5]}
    spent = court.project.summarize().model_calls
    measure(court, draft(court, RULE))
    after = {item: len(court.project.trace(item)["calls"]) for item in items[:5]}
    assert after == before
    assert court.project.summarize().model_calls == spent
    apart = query(
        court,
        "SELECT DISTINCT item_id FROM calls WHERE item_id IN (SELECT id FROM items WHERE state = 'preview')",
    )
    assert len(apart) == 60
    with pytest.raises(UsageError, match="no record, item"):
        court.project.trace(apart[0][0])
    sql = "SELECT count(*) FROM runs WHERE status = 'preview'"
    assert query(court, sql) == [(1,)]
    assert court.project.summarize().items == 60


# Weights --------------------------------------------------------------------------------------------------------


def panel(n: int, true: list[float], seed: int) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    scores = draw.integers(1, 6, size=(n, 2, len(true))).astype(float)
    chance = 1 / (1 + np.exp(-(scores[:, 0] - scores[:, 1]) @ np.array(true)))
    first = draw.random(n) < chance
    return (
        np.where(first[:, None], scores[:, 0], scores[:, 1]),
        np.where(first[:, None], scores[:, 1], scores[:, 0]),
    )


def test_weights_that_matter_are_found_and_what_is_noise_is_not_proposed() -> None:
    better, worse = panel(150, [2.0, 0.2, 0.2], 0)
    fit = fit_weights(better, worse, [f"g{i}" for i in range(150)], [1, 1, 1])
    assert fit is not None
    assert fit.better
    assert fit.after > fit.before
    assert fit.weights[0] > 2 * max(fit.weights[1:])
    assert sum(fit.weights) == pytest.approx(3.0, abs=0.01)
    proposed = 0
    for seed in range(20):
        better, worse = panel(80, [0.7, 0.7, 0.7], seed)
        found = fit_weights(better, worse, [f"g{i}" for i in range(80)], [1, 1, 1])
        assert found is not None
        proposed += found.better
    assert proposed <= 2


def test_missing_scores_stay_missing_and_few_decisions_say_nothing() -> None:
    better, worse = panel(60, [2.0, 0.2], 3)
    better[:30, 1] = np.nan
    fit = fit_weights(better, worse, [f"g{i}" for i in range(60)], [1, 1])
    assert fit is not None
    assert all(weight > 0 for weight in fit.weights)
    few = LEAST - 1
    assert fit_weights(better[:few], worse[:few], ["g"] * few, [1, 1]) is None
    assert fit_weights(better, worse, ["one group"] * 60, [1, 1]) is None


RUBRIC = """kind: rubric
name: two
criteria:
{criteria}"""


def two_criteria() -> str:
    anchors = "{1: worst, 2: poor, 3: fair, 4: good, 5: best}"
    lines = [
        f"  - {{id: {name}, text: '{name} of it', weight: 1, anchors: {anchors}}}"
        for name in ("accuracy", "charm")
    ]
    return RUBRIC.format(criteria="\n".join(lines))


def test_experts_who_look_at_one_criterion_change_its_weight_through_an_amendment(tmp_path: Path) -> None:
    """The fake scores what an answer says of itself; experts accept by accuracy alone. Plumbing, no rate."""
    asked: list[str] = []

    def respond(question: Question) -> Any:
        if question.role == "critic":
            return {"findings": []}
        if question.role == "generator":
            n = int(question.share("n") * 10_000)
            return {
                "instruction": f"Name fact {n} of {n * 7919 % 10007}.",
                "response": f"accuracy {n % 5 + 1} charm {n // 5 % 5 + 1}",
            }
        if question.role == "judge" and question.schema_name == "Scores":
            said = str(question.block("answer")).split()
            asked.append(question.prompt)
            return {"rationale": "", "scores": {"accuracy": int(said[1]), "charm": int(said[3])}}
        return None

    (tmp_path / "two.yaml").write_text(two_criteria())
    config = {
        **CONFIG,
        "law": {"rubric": str(tmp_path / "two.yaml")},
        "instruction": {"accept_score": 3.0, "similarity": 1.0},
    }
    models = {"default": ScriptedChat(respond=respond)}
    with Project(f"sqlite:///{tmp_path}/s.db", config=config, models=models) as project:
        ran = project.run("instruction", [f"seed number {i} about {i * 31 % 97}" for i in range(120)])
        ada, _ = add_expert(project.store, "Ada", role="lead", by="test")
        with project.store.connect() as connection:
            waiting = [r for r in list_reviews(connection, limit=1000) if r.kind == "interrupt"]
        assert len(waiting) == ran.pending_review > 100
        for review in waiting:
            [shown] = project.review(review.id).candidates
            good = int(shown.text.split()[1]) >= 3
            answer = {"choice": "accept", "candidate": shown.id} if good else {"choice": "reject"}
            decide(project.store, review.id, answer, actor=ada.actor, channel="api", counts=True)
        made = len(asked)
        found = asyncio.run(weigh(project.store, project.config, models=models))
        assert len(asked) == made  # what the panel had scored is read from the journal
        assert found.calls == 0
        assert found.fit is not None
        assert found.amendment is not None, found.why
        weights = {c.id: c.weight for c in found.amendment.document.criteria}  # type: ignore[union-attr]
        assert weights["accuracy"] > 3 * weights["charm"]
        with project.store.connect() as connection:
            cites = connection.execute(select(table_of(Amendment).c.cites)).scalar_one()
            half, decision = table_of(Precedent).c.half, table_of(Precedent).c.decision_id
            halves = connection.execute(select(half).distinct().where(decision.in_(cites))).scalars()
            assert list(halves) == ["seen"]
        told = found.to_json()
        assert told["fit"]["better"] is True
        assert told["amendment"] == found.amendment.id


# Scopes ---------------------------------------------------------------------------------------------------------


def scoped(scope: str, extra: str) -> Any:
    text_ = dump_yaml(load_constitution("general")) + f"scope: {scope}\n"
    return parse_constitution(
        text_.replace("principles:\n", f"principles:\n- {{id: {extra}, text: Says {extra}., priority: 1}}\n")
    )


def test_the_narrowest_scope_governs() -> None:
    class Version:
        def __init__(self, document: Any) -> None:
            self.document = document

    versions = {
        name: Version(scoped(scope, name))
        for name, scope in {
            "recipe": "{recipe: preference}",
            "medicine": "{tags: [Medicine]}",
            "both": "{recipe: instruction, tags: [medicine]}",
            "heart": "{tags: [medicine, heart]}",
        }.items()
    }
    versions["global"] = Version(load_constitution("general"))

    def governing(recipe: str, *domains: str) -> str:
        found = narrowest(versions.values(), recipe, domains_of(None, domains))
        return next(name for name, version in versions.items() if version is found)

    assert governing("preference") == "recipe"
    assert governing("instruction", "law") == "global"
    assert governing("preference", "MEDICINE ") == "medicine"
    assert governing("preference", "medicine", "heart") == "heart"
    assert governing("instruction", "medicine") == "both"
    assert covers(load_constitution("general").scope, "x", frozenset())


def test_items_are_pinned_by_the_domain_of_their_seed(tmp_path: Path) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "always"}}
    rows = [
        {"prompt": "What lowers a fever?", "specialty": "Medicine"},
        {"prompt": "May we change the locks?", "specialty": "law"},
        {"prompt": "Which pump is best?", "tags": ["pumps", "medicine"]},
        {"prompt": "Anything?"},
    ]
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        first = project.run("preference", rows)
        import_law(project.store, scoped("{tags: [medicine]}", "cites-a-guideline"), by="me")
        with pytest.raises(UsageError, match="constitution, rubric or prompts were others"):
            project.run("preference", rows)
        second = project.run("preference", rows, new_run=True)
        sql = (
            "SELECT constitutions.scope FROM items JOIN constitutions ON constitutions.id = items.constitution_id "
            "WHERE run_id = '{}' ORDER BY position"
        )
        with project.store.connect() as connection:
            scopes = [
                connection.execute(text(sql.format(run.run_id))).scalars().all() for run in (first, second)
            ]
            runs = connection.execute(text("SELECT DISTINCT scope FROM runs")).scalars().all()
        assert scopes == [["global"] * 4, ["tags:medicine", "global", "tags:medicine", "global"]]
        assert len(runs) == 2  # a certificate of the one run does not speak for the other
        assert project.run("preference", rows).run_id == second.run_id
        actor = add_expert(project.store, "Ada", role="lead", by="test")[0].actor
        with project.store.connect() as connection:
            waiting = [r for r in list_reviews(connection, limit=100) if r.kind == "interrupt"]
        for review in waiting:
            answer = {"choice": "prefer", "candidate": review.candidates[0]}
            decide(project.store, review.id, answer, actor=actor, channel="api", counts=True)
        with project.store.connect() as connection:
            both = versions_in_force(connection, "constitution", "general")
            found = {version.scope: precedents_under(connection, version.document) for version in both}
        # What the general version was judged by before is case law of the domain from now on.
        assert {scope: len(rows) for scope, rows in found.items()} == {"global": 4, "tags:medicine": 4}
        assert {row.request for row in found["tags:medicine"]} == {
            "What lowers a fever?",
            "Which pump is best?",
        }
        with project.store.connect() as connection:
            assert law_in_force(connection, project.config, "constitution").scope == "global"
        cite = found["tags:medicine"][0].decision_id
        file = f"amends: general\nreason: r\ncites: ['{cite}']\n"
        file += "changes: [{action: retire, id: cites-a-guideline}]\n"
        with pytest.raises(UsageError, match="there is no 'cites-a-guideline'"):
            propose(project.store, project.config, file, source="f", by="me")
        ours = f"scope: {{tags: [medicine]}}\n{file}"
        amended = propose(project.store, project.config, ours, source="f", by="me")
        assert amended.scope == "tags:medicine"
        with pytest.raises(UsageError, match="in force for tags:law"):
            propose(project.store, project.config, ours.replace("medicine", "law"), source="f", by="me")


# Quorum ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leads", "quorum", "needed"), [(2, 2, 2), (1, 2, 1), (3, 3, 3), (3, 1, 1), (2, 5, 2)]
)
def test_the_quorum_is_configured_and_bounded_by_who_may_vote(
    court: Court, leads: int, quorum: int, needed: int
) -> None:
    if leads == 3:
        add_expert(court.store, "Cyd", role="lead", by="test")
    by = court.ada.actor if leads == 1 else "local:test"
    amendment = measure(court, draft(court, RULE, by=by))
    with court.store.connect() as connection:
        assert count_votes(connection, amendment, quorum).needed == needed
    standing = cast(court, amendment, court.ben, quorum=quorum)
    assert (standing.state == "ratified") == (needed == 1)
