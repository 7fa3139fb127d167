"""Which two candidates become the pair, and what the scores by which they were ranked leave behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import update

from solon import Project
from solon.agents import critic, generator
from solon.agents.case import Case
from solon.agents.models.scripted import Scripted, ScriptedChat
from solon.agents.outputs import Finding
from solon.config import parse_config
from solon.config.sections import PreferenceConfig, RoutingConfig
from solon.consensus.panel import Consensus
from solon.errors import ConfigError, PartFailed
from solon.graphs.contexts import Contexts
from solon.graphs.routing import choose_route
from solon.graphs.versions import graph_version
from solon.recipes import (
    Accept,
    Answer,
    BestSecond,
    BestWorst,
    Contender,
    Contrast,
    DraftRevision,
    Given,
    Instruct,
    Pair,
    Pairing,
    Proposal,
    Recipe,
    RevisionDraft,
    Sweet,
)
from solon.recipes.pairings import PAIRINGS, pick
from solon.recipes.preference import PREFERENCE
from solon.store.database.store import Store
from solon.store.records.overview import failure_reasons
from solon.store.runs.certificates import making_of
from solon.store.tables.runs import Meta

Make = Callable[..., Any]
TWELVE = [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 3, 1]
"""Mean 4.5, standard deviation 1.19: the last but one is nearest to 2.12."""


def ranked(*scores: float | None, parents: dict[str, str] | None = None) -> list[Contender]:
    return [Contender(f"c{n}", score, (parents or {}).get(f"c{n}")) for n, score in enumerate(scores)]


def all_shown(pairing: Pairing, contenders: list[Contender]) -> list[str]:
    shown = []
    while pair := pick(pairing, contenders, len(shown), 2, guarded=False):
        if len(pair) < 2:
            break
        shown.append("-".join(pair))
    return shown


@pytest.mark.parametrize(
    ("pairing", "contenders", "pairs"),
    [
        (BestSecond(), ranked(5, 4, 3, 2, 1), ["c0-c1", "c2-c3"]),
        (BestWorst(), ranked(5, 4, 3, 2, 1), ["c0-c4", "c1-c3"]),
        (BestWorst(), ranked(5), []),
        (Sweet(), ranked(5, 4, 3, 2), ["c0-c3", "c1-c2"]),
        (Sweet(), ranked(*TWELVE), ["c0-c10", "c1-c11", "c2-c3", "c4-c5", "c6-c7", "c8-c9"]),
        (Sweet(), ranked(5, 4, None, 1), ["c0-c3", "c1-c2"]),
        (Sweet(), ranked(None, None), ["c0-c1"]),
        (Contrast(), ranked(None, None, None, None), ["c0-c3", "c1-c2"]),
        (DraftRevision(), ranked(*[None] * 5, parents={"c1": "c0", "c3": "c2"}), ["c0-c1", "c2-c3"]),
        (DraftRevision(), ranked(None, None, parents={"c0": "of another attempt"}), []),
        (RevisionDraft(), ranked(*[None] * 4, parents={"c1": "c0", "c3": "c2"}), ["c1-c0", "c3-c2"]),
    ],
)
def test_the_pairs_of_known_scores(pairing: Pairing, contenders: list[Contender], pairs: list[str]) -> None:
    assert all_shown(pairing, contenders) == pairs


def test_a_proposal_stands_aside() -> None:
    texts = ranked(None, None, parents={"c0": "of another attempt", "c1": "c0"})
    assert [pick(Proposal(), texts, tried, 1, guarded=False) for tried in (0, 1)] == [["c0"], []]


def test_the_configuration_names_every_pairing() -> None:
    assert get_args(PreferenceConfig.model_fields["pairing"].annotation) == tuple(PAIRINGS)
    for name, pairing in PAIRINGS.items():
        assert PREFERENCE.pairing_under(parse_config({"preference": {"pairing": name}})) == pairing
    with pytest.raises(ConfigError, match=r"preference\.pairing: Input should be 'best-second'"):
        parse_config({"preference": {"pairing": "best"}})


def test_a_store_made_before_there_was_a_choice_goes_on() -> None:
    """The hashes of version 0.1.0: of the default configuration, of its making, and of the graph."""
    before, other = parse_config({}), parse_config({"preference": {"pairing": "sweet"}})
    assert before.fingerprint() == parse_config({"preference": {"pairing": "best-second"}}).fingerprint()
    assert before.fingerprint() == "d554d759024794bb"
    assert "preference" not in before.effective()
    assert making_of(before.effective()) == "2946316c319cc067ccce7dba"
    assert graph_version(PREFERENCE)[0] == "325b98f8c178357a"
    assert other.fingerprint() != before.fingerprint()
    assert making_of(other.effective()) != making_of(before.effective()), "a certificate of other pairs"
    assert other.effective()["preference"] == {"pairing": "sweet"}, (
        "keys that came later are not stored as they come"
    )
    revised = parse_config({"preference": {"pairing": "revision-draft", "turns": 3}})
    assert revised.effective()["preference"] == {"pairing": "revision-draft", "turns": 3}
    assert parse_config(revised.effective()).fingerprint() == revised.fingerprint() != other.fingerprint()


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"pairing": DraftRevision(), "steps": ("draft", "judge", "review")}, "needs revisions"),
        (
            {"pairing": Contrast(), "question": Accept(), "record": "instruction", "maker": Instruct()},
            "two cand",
        ),
        (
            {"pairing": Sweet(), "question": Accept(), "record": "instruction", "maker": Instruct()},
            "two cand",
        ),
    ],
)
def test_a_pairing_that_cannot_work_is_refused(parts: dict[str, Any], told: str) -> None:
    fits: dict[str, Any] = {"name": "mine", "record": "preference", "maker": Answer(), "question": Pair()}
    steps = ("draft", "critique", "revise", "judge", "review")
    with pytest.raises(ConfigError, match=f"recipe 'mine': the pairing .*{told}"):
        Recipe(**{**fits, "steps": steps, **parts})


@pytest.mark.parametrize("generator", [{"revise": False}, {"models": [], "python": ["m:f"]}])
def test_drafts_that_nobody_revises_have_no_revision_to_stand_beside(generator: dict[str, Any]) -> None:
    config = parse_config({"preference": {"pairing": "draft-revision"}, "generator": generator})
    with pytest.raises(ConfigError, match="no model revises"):
        PREFERENCE.pairing_under(config)


@pytest.mark.parametrize("said", [{"turns": 2}, {"principles": 1}, {"edits": True}])
def test_what_revises_in_turns_is_of_one_pairing(said: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"is of pairing = \"revision-draft\", and this is 'sweet'"):
        parse_config({"preference": {"pairing": "sweet", **said}})


def test_one_draft_will_do_where_its_revision_stands_beside_it() -> None:
    one = {"generator": {"n": 1}, "preference": {"pairing": "revision-draft"}}
    assert PREFERENCE.pairing_under(parse_config(one)).beside
    with pytest.raises(ConfigError, match="nothing to be compared with") as refused:
        PREFERENCE.pairing_under(parse_config({"generator": {"n": 1}}))
    assert "generator.n" in refused.value.next_step


@dataclass(frozen=True)
class Odd(Pairing):
    """Gives what it was made with."""

    gives: Any = None

    def shown(self, ranked: Any, tried: int, size: int) -> Any:
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


@pytest.mark.parametrize("gives", [None, "c0", ["c0", "c0"], ["c0", "c9"], [0, 1], ValueError("boom")])
def test_a_pairing_of_ones_own_that_fails_is_named(gives: Any) -> None:
    with pytest.raises(PartFailed, match=r"test_pairings:Odd\.shown (gave|raised)"):
        pick(Odd(gives), ranked(1, 2), 0, 2, guarded=False)
    if isinstance(gives, Exception):
        with pytest.raises(PartFailed, match=r"raised ValueError\n"):
            pick(Odd(gives), ranked(1, 2), 0, 2, guarded=True)


# In the graph ---------------------------------------------------------------------------------------------------


def panel(scores: dict[str, int], favours: Callable[[str, str], bool], severity: str = "none") -> Any:
    """A fake: drafts are named by their temperature and scored so; `favours` says whether the first is better."""

    def answer(question: Any) -> Any:
        if question.role == "generator":
            revised = "[draft " in question.prompt
            return f"better {question.temperature}" if revised else f"draft {question.temperature}"
        if question.role == "critic":
            return {"findings": [] if severity == "none" else [_finding(question, severity)]}
        if question.schema_name == "Scores":
            ids = question.schema["$defs"]["Points"]["properties"]
            return {"rationale": "so", "scores": dict.fromkeys(ids, scores[question.block("answer")])}
        if question.role == "judge":
            first = favours(question.block("answer A"), question.block("answer B"))
            return Scripted("A" if first else "B", {"A": 0.9, "B": 0.1} if first else {"A": 0.1, "B": 0.9})
        return None

    return answer


def _finding(question: Any, severity: str) -> dict[str, Any]:
    principle = (
        json.dumps(question.schema).split('"principle":', 1)[1].split('"enum": ["', 1)[1].split('"', 1)[0]
    )
    return {"principle": principle, "quote": "", "severity": severity, "suggestion": "be exact"}


def drafts(n: int) -> dict[str, Any]:
    return {"n": n, "temperatures": [round(0.1 * (place + 1), 1) for place in range(n)]}


def texts_of_pair(review: Any) -> list[str]:
    return [candidate.text for candidate in review.candidates]


@pytest.mark.parametrize(
    ("pairing", "scores", "pairs"),
    [
        ("best-second", [2, 5, 1, 4], [{"draft 0.2", "draft 0.4"}, {"draft 0.1", "draft 0.3"}]),
        ("best-worst", [2, 5, 1, 4], [{"draft 0.2", "draft 0.3"}, {"draft 0.4", "draft 0.1"}]),
        ("sweet", TWELVE, [{"draft 0.1", "draft 1.1"}, {"draft 0.2", "draft 1.2"}]),
    ],
)
def test_scored_pairings_also_after_both_are_bad(
    make_desk: Make, pairing: str, scores: list[int], pairs: list[set[str]]
) -> None:
    by_text = {f"draft {0.1 * (n + 1):.1f}": score for n, score in enumerate(scores)}
    desk = make_desk(
        answer=panel(by_text, lambda a, b: a < b),
        routing={"policy": "always"},
        generator=drafts(len(scores)),
        preference={"pairing": pairing},
    )
    desk.project.run("preference", ["Why is the sky blue?"])
    for pair in pairs:
        (review,) = desk.project.reviews()
        assert set(texts_of_pair(review)) == pair
        desk.project.decide(review, "both_bad")
        desk.project.resume()


def test_a_pairing_is_a_part_of_a_recipe(tmp_path: Path) -> None:
    mine = replace(PREFERENCE, name="mine", pairing=BestWorst())
    config: dict[str, Any] = {"models": {"default": {"model": "scripted:default"}}, "generator": drafts(3)}
    config["routing"] = {"policy": "never"}
    with Project(f"sqlite:///{tmp_path / 's.db'}", config=config, recipes=[mine]) as project:
        assert project.run("mine", ["Why?"]).accepted == 1
        way = project.trace(project.records()[0].id)
    mean = {row["a_id"]: sum(row["scores"].values()) for row in way["shortlist"]}
    of_pair = {way["record"]["chosen_id"], way["record"]["rejected_id"]}
    assert of_pair == {max(mean, key=mean.__getitem__), min(mean, key=mean.__getitem__)}


@pytest.mark.parametrize("severity", ["minor", "major"])
def test_a_revision_stands_beside_its_draft(make_desk: Make, severity: str) -> None:
    desk = make_desk(
        answer=panel({}, lambda a, b: a.startswith("better"), severity),
        routing={"policy": "always"},
        preference={"pairing": "draft-revision"},
    )
    desk.project.run("preference", ["Why is the sky blue?"])
    rows = {row["id"]: row for row in desk.rows("Candidate")}
    assert [row["kind"] for row in rows.values()].count("revision") == 2
    for place in (0.7, 1.0):
        (review,) = desk.project.reviews()
        assert texts_of_pair(review) == [f"draft {place}", f"better {place}"]
        draft, revision = (rows[candidate.id] for candidate in review.candidates)
        assert revision["parent_id"] == draft["id"]
        desk.project.decide(review, "both_bad")
        desk.project.resume()
    assert desk.count("Verdict") == 3 * 2 * 2, "three pairs, two seats, both orders: nothing was scored"


def test_without_a_revision_there_is_no_pair_and_the_item_says_so(make_desk: Make) -> None:
    desk = make_desk(answer=panel({}, lambda a, b: True), preference={"pairing": "draft-revision"})
    summary = desk.project.run("preference", ["Why is the sky blue?"])
    assert (summary.rejected, summary.failed) == (1, 0)
    reason = "the pairing finds no candidates to show among 2: no revision (2 without findings)"
    assert desk.rows("Item")[0]["reason"] == reason
    (told,) = failure_reasons(desk.project.store, summary.run_id)
    assert (told.state, told.reason) == ("rejected", reason)


def test_a_critic_that_says_nothing_usable_is_not_one_that_finds_nothing(make_desk: Make) -> None:
    speaks = panel({}, lambda a, b: True)
    desk = make_desk(
        answer=lambda asked: "I would rather not." if asked.role == "critic" else speaks(asked),
        preference={"pairing": "draft-revision"},
    )
    desk.project.run("preference", ["Why is the sky blue?"])
    assert desk.rows("Item")[0]["reason"].endswith("no revision (2 not criticised)")


@pytest.mark.parametrize("given", [1, 2])
def test_a_revision_stands_beside_a_given_text_which_stays(tmp_path: Path, given: int) -> None:
    texts = ["The  Elbe.\r\n", " e\u0301 "][:given]
    mine = Recipe(
        "mine",
        record="preference",
        maker=Given(most=2),
        question=Pair(),
        pairing=DraftRevision(),
        steps=("draft", "critique", "revise", "judge", "review"),
    )
    chat = ScriptedChat(name="default", respond=panel({}, lambda a, b: True, "minor"))
    url = f"sqlite:///{tmp_path / 's.db'}"
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "always"}}
    with Project(url, config=config, recipes=[mine], models={"default": chat}) as project:
        project.run("mine", [{"prompt": "Name a river.", "responses": texts}])
        for text in texts:
            (review,) = project.reviews()
            assert [texts_of_pair(review)[0], review.candidates[1].text[:6]] == [text, "better"]
            assert "redraft" not in review.choices, "nothing is drafted in place of a given text"
            project.decide(review, "both_bad")
            project.resume()
        assert project.reviews() == []
        way = project.trace(project.items()[0].id)
        kinds = [candidate["kind"] for candidate in way["candidates"]]
        assert (kinds.count("given"), kinds.count("revision"), way["item"]["reason"]) == (
            given,
            given,
            "both_bad",
        )


# In turns -------------------------------------------------------------------------------------------------------


def reviser(worst: list[str], mend: Callable[[str], str] = "{} again".format) -> Any:
    """A fake: the critic finds these severities in turn, then none; `mend` writes a revision from its draft."""
    left = list(worst)

    def answer(question: Any) -> Any:
        if question.role == "generator":
            draft = question.block("draft")
            return mend(draft) if draft else "one draft"
        if question.role == "critic":
            return {"findings": [_finding(question, left.pop(0))] if left else []}
        return None

    return answer


def revise_in_turns(make_desk: Make, answer: Any, **said: Any) -> Any:
    preference = {"pairing": "revision-draft", "turns": 3, **said}
    desk = make_desk(answer=answer, routing={"policy": "always"}, generator={"n": 1}, preference=preference)
    desk.summary = desk.project.run("preference", ["Why is the sky blue?"])
    return desk


@pytest.mark.parametrize(
    ("worst", "revision", "critiques"),
    [
        (["minor"], "one draft again", 2),
        (["minor", "fatal"], "one draft again again", 3),
        (["fatal"] * 9, "one draft again again again", 3),
    ],
)
def test_a_draft_is_revised_until_a_critic_finds_nothing_or_the_turns_are_spent(
    make_desk: Make, worst: list[str], revision: str, critiques: int
) -> None:
    desk = revise_in_turns(make_desk, reviser(worst))
    (review,) = desk.project.reviews()
    assert texts_of_pair(review) == [revision, "one draft"]
    assert desk.count("Critique") == critiques
    rows = {row["text"]: row for row in desk.project.trace(review.id)["candidates"]}
    assert rows[revision]["parent_id"] == rows[revision.removesuffix(" again")]["id"], (
        "each revises the last one"
    )
    assert [row["round"] for row in rows.values()] == [0] * len(rows), "nothing was drafted again"


@pytest.mark.parametrize(
    ("mend", "why"),
    [(str, "unchanged"), (lambda _draft: "", "empty"), (lambda _draft: " one draft ", "unchanged")],
)
def test_a_revision_that_changes_nothing_makes_no_pair_and_is_counted(
    make_desk: Make, mend: Callable[[str], str], why: str
) -> None:
    desk = revise_in_turns(make_desk, reviser(["major"] * 3, mend))
    (told,) = failure_reasons(desk.project.store, desk.summary.run_id)
    assert (told.state, told.count) == ("rejected", 1)
    assert told.reason == f"the pairing finds no candidates to show among 1: no revision (1 {why})"


def test_an_earlier_revision_stays_where_a_later_one_changes_nothing(make_desk: Make) -> None:
    desk = revise_in_turns(make_desk, reviser(["major"] * 3, lambda _draft: "the same each time"))
    (review,) = desk.project.reviews()
    assert texts_of_pair(review) == ["the same each time", "one draft"]


def test_each_critique_draws_principles_and_none_comes_again_before_all_were_had(make_desk: Make) -> None:
    desk = revise_in_turns(make_desk, reviser(["minor"] * 9), turns=5, principles=2)
    drawn = [row["principles"] for row in desk.rows("Critique")]
    assert len(drawn) == 5
    assert len({name for names in drawn for name in names}) == 5, "the fake cites the first of each two"
    (review,) = desk.project.reviews()
    desk.project.decide(review, "prefer", review.candidates[0])
    desk.project.resume()
    (record,) = desk.project.records()
    assert record.lineage["principles"] == sorted(name for names in drawn for name in names)


@pytest.mark.parametrize("most", [0, 10, 60])
def test_no_more_principles_are_drawn_than_there_are(most: int) -> None:
    case = Case.open({"models": {"default": {"model": "scripted:default"}}}, prompt="Why?")
    assert len(case.constitution.principles) == 10
    assert critic.narrow(case, most, round=0, ordinal=0, turn=7) is case


def test_edits_replace_only_the_words_that_a_critic_quoted(make_desk: Make) -> None:
    quotes = ["blue", "blue whale", "nowhere in it", "very big"]

    def answer(question: Any) -> Any:
        if question.role == "generator":
            passage = question.block("passage")
            return {None: "The blue whale is very big.", "blue": "grey", "very big": "30 metres long"}[
                passage
            ]
        if question.role == "critic" and "grey" not in question.prompt:
            found = [{**_finding(question, "minor"), "quote": quote} for quote in quotes]
            return {"findings": [found[0], found[2], found[3]]}
        return {"findings": []} if question.role == "critic" else None

    desk = revise_in_turns(make_desk, answer, edits=True)
    (review,) = desk.project.reviews()
    assert texts_of_pair(review) == ["The grey whale is 30 metres long.", "The blue whale is very big."]
    seats = [call["seat"] for call in desk.project.trace(review.id)["calls"]]
    assert seats.count("edit") == 2, "what is quoted from nowhere is not asked about"


def test_edits_of_findings_that_quote_nothing_make_no_pair(make_desk: Make) -> None:
    desk = revise_in_turns(make_desk, reviser(["major"]), edits=True)
    (told,) = failure_reasons(desk.project.store, desk.summary.run_id)
    assert told.reason.endswith("no revision (1 unquoted)")


def test_words_that_two_findings_quote_are_edited_once() -> None:
    found = [
        Finding(principle="", quote=quote, severity="minor", suggestion="")
        for quote in ("c d", "", " a b c ", "b", "e")
    ]
    assert [(start, one.quote) for start, one in generator._places("a b c d e", found)] == [
        (0, "a b c"),
        (8, "e"),
    ]


# What was presumed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["threshold", "never", "disagreement"])
def test_where_the_panel_finds_other_than_was_presumed_a_person_is_asked(
    make_desk: Make, policy: str
) -> None:
    desk = make_desk(
        answer=panel({}, lambda a, b: a == "draft 0.1" if a != "draft 0.2" else b == "draft 0.3"),
        routing={"policy": policy},
        generator=drafts(3),
        preference={"pairing": "contrast"},
    )
    assert desk.project.run("preference", ["Why is the sky blue?"]).accepted == 1
    record = desk.project.records()[0]
    assert (record.chosen, record.rejected) == ("draft 0.1", "draft 0.3")
    desk.answer = panel({}, lambda a, b: a > b)
    assert desk.project.run("preference", ["Why is it?"], new_run=True).pending_review == 1
    (review,) = desk.project.reviews()
    assert texts_of_pair(review) == ["draft 0.1", "draft 0.3"]
    assert review.reasons[0] == "the panel favours B, and the way in which they were made speaks for A"
    (row,) = desk.rows("Review")
    assert (row["rule"], row["reasons"][0]["code"]) == ("presumption", "presumption")
    desk.project.decide(review, "prefer", review.candidates[1])
    assert desk.project.resume().accepted == 1
    assert desk.count("Verdict") == 2 * 2 * 2, "their order was known: nothing was scored"


def test_a_pilot_stays_a_pilot_whatever_was_presumed(make_desk: Make) -> None:
    desk = make_desk(
        answer=panel({}, lambda a, b: a > b),
        routing={"policy": "pilot", "pilot": 1, "pilot_share": 1.0},
        preference={"pairing": "contrast"},
    )
    desk.project.run("preference", ["Why is the sky blue?"])
    (row,) = desk.rows("Review")
    assert row["rule"] == "pilot"
    assert "presumption" in [reason["code"] for reason in row["reasons"]]


def test_what_a_budget_leaves_over_against_what_was_presumed_is_not_certified(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Contexts, "_cuts", lambda _self, _certificate: (0.0,))
    desk = make_desk(
        answer=panel({}, lambda a, b: a > b),
        routing={"policy": "budget", "budget": 1},
        preference={"pairing": "contrast"},
    )
    desk.project.run("preference", ["Why is the sky blue?", "Why is the sea?"])
    (record,) = desk.rows("Record")
    assert record["provisional"]
    desk.answer = panel({}, lambda a, b: a < b)
    desk.project.run("preference", ["Why is grass green?", "Why is snow white?"])
    assert not desk.rows("Record")[1]["provisional"]


def test_a_new_version_accepts_nothing_against_what_was_presumed() -> None:
    sure = Consensus({"A": 0.01, "B": 0.99}, "B", 0.98, 0.99, {"n_votes": 4, "n_cast": 4}, {"B": 4}, False)
    routing = RoutingConfig(policy="threshold")
    assert choose_route(sure, routing, can_resolve=True).where == "accept"
    assert choose_route(sure, routing, can_resolve=True, presumed="B").where == "accept"
    assert choose_route(sure, routing, can_resolve=True, presumed="A").where == "review"


# Killed ----------------------------------------------------------------------------------------------------------

WORKER = """
import sys
from solon.project import Project

url, log, pairing = sys.argv[1:]
config = {
    "models": {"default": {"model": "scripted:default", "options": {"latency": 0.02, "log": log}}},
    "generator": {"n": 4, "temperatures": [0.2, 0.4, 0.6, 0.8]},
    "preference": {"pairing": pairing},
    "routing": {"policy": "never", "audit_share": 0.0},
}
with Project(url, config=config) as project:
    project.run("preference", [{"id": f"s{n}", "prompt": f"Explain thing {n}."} for n in range(6)])
"""


def begun(url: str, log: Path, pairing: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORKER, url, str(log), pairing])


SAID = ("seat", "order", "sample", "outcome", "p", "scores", "rationale")


def rows_made(url: str) -> list[Any]:
    """Candidates and verdicts of every item by what they say, without ids and times."""
    with Project(url) as project:
        made = []
        for item in project.items():
            way = project.trace(item.id)
            text = {one["id"]: one["text"] for one in way["candidates"]}
            kinds = [(one["kind"], one["text"], text.get(one["parent_id"])) for one in way["candidates"]]
            said = [
                (key, text[row["a_id"]], text.get(row["b_id"]), *(row[name] for name in SAID))
                for key in ("shortlist", "verdicts")
                for row in way[key]
            ]
            record = way["record"] or {}
            pair = [text.get(record.get(side)) for side in ("chosen_id", "rejected_id")]
            made.append((item.seed, sorted(kinds, key=str), sorted(said, key=str), pair))
        return sorted(made, key=str)


@pytest.mark.parametrize("pairing", ["sweet", "draft-revision"])
@pytest.mark.sqlite("the stores are files")
def test_a_run_that_was_killed_makes_the_same_rows(tmp_path: Path, pairing: str) -> None:
    made = []
    for name, kills in (("whole", 0), ("killed", 3)):
        url, log = f"sqlite:///{tmp_path / name}.db", tmp_path / f"{name}.jsonl"
        log.touch()
        with Store(url, create=True) as store, store.transaction() as connection:
            connection.execute(update(Meta).where(Meta.name == "key").values(value="ab" * 32))  # type: ignore[arg-type]
        for kill in range(kills):
            worker, before = begun(url, log, pairing), len(log.read_text().splitlines())
            until = time.monotonic() + 300
            while len(log.read_text().splitlines()) < before + 25 + 8 * kill and worker.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.005)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        assert begun(url, log, pairing).wait(timeout=600) == 0
        made.append(rows_made(url))
        assert len(made[-1]) == 6
    assert made[0] == made[1]
