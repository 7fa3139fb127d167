"""Rules by law: drafted from decisions of one half, measured on the other, ratified, voting in new runs, repealed."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from solon import Project
from solon.agents.models.scripted import ScriptedChat
from solon.agents.models.scripted_answers import Question
from solon.cli.app import run_command
from solon.cli.lawmaking import _spell
from solon.config import parse_config
from solon.errors import ConfigError, UsageError
from solon.law.documents import Rule, RuleBook, dump_yaml, parse_rules
from solon.law.impact import Paired
from solon.lawmaking.drafting import measure_impact
from solon.lawmaking.rule_drafts import find_fault, runs_away
from solon.lawmaking.rule_impact import RuleEffect, decisions_that_would_do, judge_rules
from solon.store.lawmaking.amendments import find_amendment, trials_of
from solon.store.lawmaking.precedents import WORN, all_precedents
from solon.store.reviewing.experts import add_expert, find_expert, rotate_token
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.tables import items, precedents, verdicts
from solon.sync import run_sync

WORDS = {
    "card": ("swallowed", "contactless", "engraved"),
    "transfer": ("iban", "remittance", "payee"),
    "login": ("password", "locked", "passcode"),
}
FILLERS = (
    *("today", "again", "since", "morning", "branch", "office"),
    *("help", "please", "urgent", "summer", "evening", "weekend"),
)
KEY = "5a" * 32
"""By which decisions fall into halves."""
CONFIG: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "judges": [],
    "label": {"labels": list(WORDS)},
    "rules": [{"name": "chip", "label": "card", "keywords": ["engraved"]}],
    "routing": {"policy": "always", "audit_share": 0.0},
    "law": {"quorum": 1},
}


def seeds(first: int, number: int) -> list[dict[str, Any]]:
    """Messages that each hold one word of their label among words that say nothing."""
    rows = []
    for n in range(first, first + number):
        draw = random.Random(n)
        word = draw.choice(WORDS[list(WORDS)[n % 3]])
        one, two, three, four = draw.sample(FILLERS, 4)
        rows.append({"id": f"m{n}", "prompt": f"{one} {two} {word} {three} {four} {n}"})
    return rows


def label_of(text: str) -> str:
    return next(label for label, words in WORDS.items() if any(word in text for word in words))


@dataclass
class Bank:
    """A project whose lead decided 120 messages, with the tokens of two leads."""

    project: Project
    folder: Path
    tokens: tuple[str, str]

    def legislate(self, rules: dict[str, list[dict[str, Any]]] | None = None) -> Any:
        """What the legislator drafts; `rules`: what it answers for each label, default: the scripted fake."""

        def respond(question: Question) -> dict[str, Any] | None:
            if question.role != "legislator" or rules is None:
                return None
            return {"reason": "as asked", "rules": rules.get(question.block("label") or "", [])}

        self.project.models = {"default": ScriptedChat(respond=respond)}
        return self.project.rulebook.propose()

    def propose(self, book: RuleBook, **about: Any) -> Any:
        """A person's draft of the whole next version, resting on one decision."""
        with self.project.store.connect() as connection:
            cited = all_precedents(connection)[0].decision_id
        file = self.folder / "next.yaml"
        file.write_text(dump_yaml(book))
        [draft] = self.project.rulebook.propose(file, cites=cited, **about).amendments
        return draft

    def ratify(self, amendment: str, **about: Any) -> str:
        """Measure it, and let both leads vote for it as far as that is needed."""
        self.project.rulebook.impact(amendment)
        for token in self.tokens:
            state = self.project.rulebook.ratify(amendment, expert=token, **about).state
            if state == "ratified":
                return state
        return state

    def voters(self, run_id: str) -> dict[str, set[str]]:
        """item -> the names, with the hash of what they do, under which voters spoke."""
        query = select(verdicts.c.item_id, verdicts.c.judge).join(items, items.c.id == verdicts.c.item_id)
        by_item: dict[str, set[str]] = {}
        with self.project.store.connect() as connection:
            for item_id, judge in connection.execute(query.where(items.c.run_id == run_id)):
                by_item.setdefault(item_id, set()).add(judge)
        return by_item


@pytest.fixture(scope="session")
def decided_bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bank") / "solon.db"
    with Project(f"sqlite:///{path}", config=CONFIG) as project:
        project.store.key = KEY
        for name in ("Ada", "Ben"):
            add_expert(project.store, name, role="lead", by="test")
        project.run("label-panel", seeds(0, 120))
        with project.store.connect() as connection:
            ada, waiting = find_expert(connection, "Ada"), list_reviews(connection, limit=1000)
        text_of = {review.id: project.review(review.id).candidates[0].text for review in waiting}
        for review in sorted(waiting, key=lambda review: text_of[review.id]):
            label = label_of(text_of[review.id])
            answer = {"choice": label, "rationale": "It says so."}
            decide(project.store, review.id, answer, actor=ada.actor, channel="api", counts=True)
    return path


@pytest.fixture
def bank(decided_bank: Path, tmp_path: Path) -> Iterator[Bank]:
    for file in decided_bank.parent.glob("solon.db*"):
        shutil.copy(file, tmp_path / file.name)
    with Project(f"sqlite:///{tmp_path}/solon.db", config=CONFIG) as project:
        project.store.key = KEY
        ada, ben = (rotate_token(project.store, name, by="test")[1] for name in ("Ada", "Ben"))
        yield Bank(project, tmp_path, (ada, ben))


def names(votes: dict[str, set[str]]) -> set[str]:
    return {judge.removeprefix("rule:").partition("+")[0] for cast in votes.values() for judge in cast}


def test_drafted_measured_ratified_in_a_run_and_repealed(bank: Bank) -> None:
    project = bank.project
    [draft] = bank.legislate().amendments
    assert (draft.kind, draft.proposer, draft.state) == ("rules", "legislator", "drafted")
    drafted = {rule.keywords[0]: rule for rule in draft.document.rules}
    assert {"iban", "locked"} <= set(drafted)
    bad = [rule.id for word, rule in drafted.items() if not any(word in words for words in WORDS.values())]
    measured = project.rulebook.impact(draft.id).amendment
    assert (measured.impact["calls"], measured.impact["sample"]) == (0, 120)
    assert measured.impact["unseen"]["after"] > measured.impact["unseen"]["before"]
    if bad:  # what chance put into the half that teaches shows on the other
        draft = project.rulebook.leave_out(draft.id, bad)
        measured = project.rulebook.impact(draft.id).amendment
    assert measured.verdict == "green", measured.impact["why"]
    assert all(rule["right"] == rule["spoke"] for rule in measured.impact["rules"])

    before = project.run("label-panel", seeds(200, 6))
    assert names(bank.voters(before.run_id)) == {"chip"}
    assert bank.ratify(draft.id) == "ratified"
    after = project.run("label-panel", seeds(300, 6))
    assert names(bank.voters(after.run_id)) == {"chip", *draft.document.ids()}

    [rule] = [rule for rule in project.rules().by_law if rule.says.startswith('transfer: where "iban"')]
    assert (rule.amendment, rule.ratified_by, rule.in_force) == (draft.id, ("Ada",), True)
    assert rule.held_out.value == 1.0
    coverage = {rule.name: rule.coverage for rule in project.rules().rules}
    assert coverage[rule.name].n == 6, "of texts that were judged before it was law nothing was asked of it"

    kept = [one for one in draft.document.rules if one.id != rule.name]
    repeal = bank.propose(RuleBook(rules=kept), reason="The bank writes IBAN under every message now.")
    assert repeal.document.version == "2.0.0"
    assert bank.ratify(repeal.id, override=True, reason="it will be wrong") == "ratified"
    last = project.run("label-panel", seeds(400, 6))
    assert names(bank.voters(last.run_id)) == {"chip", *(one.id for one in kept)}
    [gone] = [one for one in project.rules().by_law if one.name == rule.name]
    assert (gone.in_force, gone.repeal, gone.repealed_by) == (False, repeal.id, ("Ada",))
    with project.store.connect() as connection:
        found = find_amendment(connection, repeal.id).impact
    assert [(one["id"], one["right"] == one["spoke"] > 0) for one in found["gone"]] == [(rule.name, True)]
    spoke = found["gone"][0]["spoke"]
    assert f"{rule.name} was right on {spoke} of the {spoke} unseen decisions that it matches" in found["why"]
    told = bank.legislate()
    assert f"it says what {rule.name} said, which was repealed" in "\n".join(told.problems)
    assert not any(rule.name in made.document.ids() for made in told.amendments)
    assert names(bank.voters(after.run_id)) == {"chip", *draft.document.ids()}, "what was said stays"


def test_a_run_keeps_the_rules_that_it_began_with(bank: Bank) -> None:
    """It is stopped, another version comes into force, and every item hears the same voters as those before."""
    project = bank.project
    first = RuleBook(rules=[Rule(id="payee", label="transfer", keywords=["payee"])], reason="to begin with")
    (bank.folder / "first.yaml").write_text(dump_yaml(first))
    project.rulebook.import_(bank.folder / "first.yaml")

    def stop(progress: Any) -> None:
        if progress.counts.get("waiting", 0) >= 3:
            project.stop()

    begun = project.run("label-panel", seeds(500, 40), on_progress=stop)
    assert begun.queued > 0
    second = RuleBook(rules=[Rule(id="payee", label="transfer", regex="payee|iban")], version="1.1.0")
    (bank.folder / "second.yaml").write_text(dump_yaml(second))
    project.rulebook.import_(bank.folder / "second.yaml", in_force=True, reason="more of them")
    done = project.resume(begun.run_id)
    assert done.queued == 0
    voters = bank.voters(begun.run_id)
    assert len(voters) == 40
    assert len({frozenset(cast) for cast in voters.values()}) == 1
    later = bank.voters(project.run("label-panel", seeds(600, 3)).run_id)
    assert names(later) == names(voters)
    assert {frozenset(cast) for cast in later.values()}.isdisjoint(map(frozenset, voters.values()))


def test_what_taught_a_draft_never_measures_it(bank: Bank) -> None:
    asked: list[Question] = []

    def respond(question: Question) -> None:
        asked.append(question)

    bank.project.models = {"default": ScriptedChat(respond=respond)}
    [draft] = bank.project.rulebook.propose().amendments
    bank.project.rulebook.impact(draft.id)
    with bank.project.store.connect() as connection:
        rows = {row.id: row for row in all_precedents(connection)}
        trials = trials_of(connection, draft.id)
        uses = {row.id: row.uses for row in rows.values()}
    cited = {row.id for row in rows.values() if row.decision_id in draft.cites}
    unseen = {trial.precedent_id for trial in trials if trial.part != "seen"}
    assert cited
    assert len(unseen) > 30
    assert not cited & unseen
    assert {rows[name].half for name in cited} == {"seen"}
    prompts = "\n".join(question.prompt for question in asked)
    assert not any(rows[name].answers[0] in prompts for name in unseen), "the legislator saw none of them"
    assert any(rows[name].answers[0] in prompts for name in cited)
    assert all(uses[name] == (rows[name].half == "held_out") for name in rows), "each look wears the half"
    bank.project.rulebook.impact(draft.id)
    with bank.project.store.connect() as connection:
        assert {row.id: row.uses for row in all_precedents(connection)} == uses, (
            "the same look is no second one"
        )


def test_drafts_that_cannot_be_rules_are_not_proposed(bank: Bank) -> None:
    drafted = bank.legislate(
        {
            "transfer": [
                {"regex": r"(\w+\s?)+!"},
                {"keywords": ["unheard of"]},
                {"regex": r"\w"},
            ],
            "card": [{"keywords": ["engraved"]}, {"regex": "(unclosed"}, {"keywords": ["swallowed"]}],
            "login": [{"keywords": ["evening"]}],
        }
    )
    [draft] = drafted.amendments
    assert [rule.keywords for rule in draft.document.rules] == [["swallowed"]]
    told = "\n".join(drafted.problems)
    for fault in (
        "its pattern runs away",
        "it is right on 0 of",
        "it matches every text",
        "it says what chip says",
        "its regex cannot be read",
    ):
        assert fault in told, told
    assert "login-evening" in told
    again = bank.legislate({"card": [{"keywords": ["swallowed"]}]})
    assert again.amendments == []
    assert f"amendment {draft.id} says the same" in "\n".join(again.problems)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (Rule(id="a", label="trnsfer", keywords=["payee"]), "'trnsfer', which is no label"),
        (Rule(id="a", label="transfer", regex=r"(a+)+$"), "runs away"),
        (Rule(id="a", label="card", keywords=["ENGRAVED"]), "says what 'chip' says"),
        (Rule(id="chip", label="card", keywords=["swallowed"]), "[[rules]] has a rule 'chip' already"),
    ],
)
def test_a_persons_draft_is_checked_too(bank: Bank, rule: Rule, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        bank.propose(RuleBook(rules=[rule]), reason="needed")
    assert told in str(refused.value)
    (bank.folder / "bad.yaml").write_text(dump_yaml(RuleBook(rules=[rule])))
    with pytest.raises(UsageError):
        bank.project.rulebook.import_(bank.folder / "bad.yaml")


def test_edits_of_rules(bank: Bank) -> None:
    with bank.project.store.connect() as connection:
        cited = all_precedents(connection)[0].decision_id
    file = bank.folder / "edits.yaml"
    head = f"kind: rules\namends: rules\nreason: as decided\ncites: ['{cited}']\nchanges:\n"
    file.write_text(
        head + "  - {action: add, id: payee, label: transfer, keywords: [payee]}\n"
        "  - {action: add, id: locked, label: login, regex: 'locked|passcode'}\n"
    )
    [draft] = bank.project.rulebook.propose(file).amendments
    assert draft.document.ids() == ["payee", "locked"]
    assert bank.ratify(draft.id) == "ratified"
    file.write_text(
        head + "  - {action: retire, id: locked}\n  - {action: reword, id: payee, keywords: [payee, iban]}\n"
    )
    [draft] = bank.project.rulebook.propose(file).amendments
    changes = [str(change) for change in bank.project.rulebook.diff("rules", draft.id)]
    assert changes == [
        "[locked] retired: login: where /locked|passcode/ is found",
        "[payee] text: 'transfer: where \"payee\" stands in the text' -> "
        '\'transfer: where "payee" or "iban" stands in the text\'',
    ]
    for edit, told in (
        ("{action: split, id: payee, into: [{id: a, text: b}, {id: c, text: d}]}", "added or reworded"),
        ("{action: add, id: payee, label: card, keywords: [x]}", "there is a rule 'payee' already"),
        ("{action: add, id: other, keywords: [x]}", "label"),
        ("{action: retire, id: none}", "there is no 'none'"),
    ):
        file.write_text(f"{head}  - {edit}\n")
        with pytest.raises(UsageError, match=told):
            bank.project.rulebook.propose(file)


def test_a_ratified_rule_votes_where_its_label_is_an_outcome(bank: Bank) -> None:
    rules = [Rule(id="payee", label="transfer", keywords=["payee"]), Rule(id="ok", label="accept", regex=".")]
    (bank.folder / "first.yaml").write_text(dump_yaml(RuleBook(rules=rules)))
    bank.project.config = bank.project.config.model_copy(
        update={"label": bank.project.config.label.model_copy(update={"labels": (*WORDS, "accept")})}
    )
    bank.project.rulebook.import_(bank.folder / "first.yaml")
    bank.project.config = bank.project.config.model_copy(
        update={"label": bank.project.config.label.model_copy(update={"labels": tuple(WORDS)})}
    )
    assert names(bank.voters(bank.project.run("label-panel", seeds(700, 3)).run_id)) == {"chip", "payee"}
    clash = bank.project.config.rules[0].model_copy(update={"name": "payee"})
    bank.project.config = bank.project.config.model_copy(update={"rules": (clash,)})
    with pytest.raises(ConfigError, match="says something else than the ratified rule"):
        bank.project.run("label-panel", seeds(710, 3))


def effect(right: int, spoke: int, p_value: float) -> RuleEffect:
    return RuleEffect("r", "r", 50, spoke, right, (0.0, 1.0), (0.0, 1.0), 0, 0.3, p_value)


def paired(gained: int, lost: int, p_value: float) -> Paired:
    edge = (gained - lost) / 50
    return Paired(50, 0.5, 0.5 + edge, gained, lost, p_value, (edge - 0.01, edge + 0.01))


@pytest.mark.parametrize(
    ("effects", "unseen", "earlier", "verdict"),
    [
        ([effect(5, 5, 0.002)], paired(0, 0, 1.0), 0, "green"),
        ([effect(5, 5, 0.03)] * 2, paired(0, 0, 1.0), 0, "grey"),  # two rules share the level
        ([effect(5, 5, 0.03)], paired(0, 0, 1.0), 1, "grey"),  # measured before, in another draft
        ([effect(1, 1, 0.3)], paired(9, 0, 0.004), 0, "green"),  # the model agrees more often for certain
        ([effect(2, 4, 0.3)], paired(9, 0, 0.004), 0, "grey"),  # as often wrong as right
        ([effect(5, 5, 0.002)], paired(0, 2, 0.5), 0, "grey"),
        ([effect(5, 5, 0.002)], paired(0, 9, 0.004), 0, "red"),
        ([], paired(0, 0, 1.0), 0, "green"),  # a repeal that costs nothing
    ],
)
def test_what_a_verdict_rests_on(
    effects: list[RuleEffect], unseen: Paired, earlier: int, verdict: str
) -> None:
    if unseen.difference < 0 and verdict == "grey":
        unseen = Paired(50, 0.5, 0.46, 0, 2, 0.5, (-0.1, 0.02))
    assert judge_rules(effects, earlier, unseen, 1)[0] == verdict


def test_a_verdict_says_how_many_decisions_would_do() -> None:
    few = RuleEffect("r", "r", 50, 2, 2, (0.0, 1.0), (0.0, 1.0), 0, 0.3, 0.09)
    assert decisions_that_would_do(few, 0.05) == 75  # three of three: .3 ** 3 = .027
    assert "about 75 unseen decisions would do" in judge_rules([few], 0, paired(0, 0, 1.0), 1)[1]
    never = RuleEffect("r", "r", 50, 4, 1, (0.0, 1.0), (0.0, 1.0), 0, 0.3, 0.8)
    assert decisions_that_would_do(never, 0.05) is None
    unknown = Paired(0, 0.0, 0.0, 0, 0, 1.0, (0.0, 0.0))
    verdict, why = judge_rules([few], 0, unknown, 1)
    assert (verdict, "6 that the label model mends" in why) == ("grey", True)


def test_held_out_decisions_that_are_worn_are_counted(bank: Bank) -> None:
    locked = RuleBook(rules=[Rule(id="locked", label="login", keywords=["locked"])])
    first = bank.propose(locked, reason="one")
    with bank.project.store.transaction() as connection:
        held_out = precedents.c.half == "held_out"
        worn = connection.execute(update(precedents).where(held_out).values(uses=WORN)).rowcount
    measured = bank.project.rulebook.impact(first.id).amendment.impact
    assert (measured["worn"], measured["unseen"]["n"]) == (worn, 0)
    with bank.project.store.connect() as connection:
        lines = _spell(find_amendment(connection, first.id), 0).splitlines()
    [said] = [line for line in lines if "worn:" in line]
    assert f"{worn} held-out decisions measure nothing more" in said


def test_rules_are_tried_on_texts_as_a_new_run_takes_them(bank: Bank) -> None:
    book = RuleBook(
        rules=[
            Rule(id="payee", label="transfer", keywords=["payee"]),
            Rule(id="locked", label="login", keywords=["locked"]),
        ]
    )
    (bank.folder / "book.yaml").write_text(dump_yaml(book))
    bank.project.rulebook.import_(bank.folder / "book.yaml")
    bank.project.config = parse_config({**CONFIG, "label": {"labels": ["card", "transfer"]}})
    found = bank.project.rules(seeds=["a payee", "engraved", "nothing"])
    assert [(rule.name, rule.coverage.n) for rule in found.rules] == [("chip", 3), ("payee", 3)]
    told = "\n".join(found.notes)
    assert "tried as in a new run: payee" in told
    assert "their label is none of these: locked" in told


def test_a_rule_that_was_measured_has_to_be_the_surer_in_another_draft(bank: Bank) -> None:
    first = bank.propose(
        RuleBook(rules=[Rule(id="locked", label="login", keywords=["locked"])]), reason="one"
    )
    measured = bank.project.rulebook.impact(first.id).amendment
    second = bank.propose(
        RuleBook(
            rules=[
                Rule(id="locked", label="login", keywords=["locked"]),
                Rule(id="payee", label="transfer", keywords=["payee"]),
            ]
        ),
        reason="two",
    )
    assert (measured.impact["look"], measured.impact["tried"]) == (1, 0)
    again = bank.project.rulebook.impact(second.id).amendment
    assert (again.impact["look"], again.impact["tried"]) == (1, 1), "on the same decisions as the first draft"
    with pytest.raises(UsageError, match="has no new rule 'none'"):
        bank.project.rulebook.leave_out(second.id, "none")
    third = bank.project.rulebook.leave_out(second.id, "locked")
    assert third.document.ids() == ["payee"]
    assert third.proposer == second.proposer
    with pytest.raises(UsageError, match="changes nothing"):
        bank.project.rulebook.leave_out(third.id, "payee")


@pytest.mark.parametrize("pattern", [r"(\w+\s?)+!", r"^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_patterns_that_run_away(pattern: str) -> None:
    assert runs_away(Rule(id="r", label="l", regex=pattern))


@pytest.mark.parametrize(
    "pattern", [r"\bnot? (yet )?received\b|don't have", r"\b(lost|stolen)\b.*\bcard\b", r"(\d+ )*left"]
)
def test_patterns_that_come_to_an_end(pattern: str) -> None:
    assert not runs_away(Rule(id="r", label="l", regex=pattern), ["I have not received my card. " * 60])


def test_texts_give_the_legislator_no_orders_and_no_markup(bank: Bank) -> None:
    """A hostile answer is data: a keyword that is a template, a pattern with an order, markup in a name."""
    hostile = "{{ 7 * 7 }}<script>alert(1)</script>"
    drafted = bank.legislate({"card": [{"keywords": [hostile, "swallowed"]}]})
    [draft] = drafted.amendments
    [rule] = draft.document.rules
    assert rule.keywords == [hostile, "swallowed"]
    assert rule.id == "card-7-7-script-alert-1-script"
    assert parse_rules(dump_yaml(draft.document)) == draft.document
    assert (
        json.loads(json.dumps(draft.document.model_dump(mode="json")))["rules"][0]["keywords"][0] == hostile
    )


def test_the_same_faults_are_found_whatever_stands_there() -> None:
    taught = [("the card was swallowed", "card"), ("a swallowed card", "card"), ("my iban", "transfer")]
    rule = Rule(id="r", label="card", keywords=["swallowed"])
    assert find_fault(rule, taught, {}) == ""
    assert "it is right on 1 of 3 decisions" in find_fault(rule, taught[1:] + taught[2:], {})


def test_a_server_measures_rules_as_any_amendment(bank: Bank) -> None:
    [draft] = bank.legislate().amendments
    done = run_sync(measure_impact(bank.project.store, bank.project.config, draft.id, by="test"))
    assert done.state == "measured"
    with bank.project.store.connect() as connection:
        assert find_amendment(connection, draft.id).impact["rules"]


def test_leads_see_rules_leave_some_out_and_ratify_on_the_page(bank: Bank) -> None:
    pytest.importorskip("fastapi", reason="the review server needs the extra solon[review]")
    from .test_law_pages import csrf, visit

    words = {
        "transfer": [{"keywords": ["payee"]}],
        "login": [{"keywords": ["locked"]}, {"keywords": ["<b>locked</b>"]}],
    }
    [draft] = bank.legislate(words).amendments
    bank.project.rulebook.impact(draft.id)
    place = f"/lead/amendments/{draft.id}"

    async def steps(enter: Any) -> None:
        async with enter(bank.tokens[0]) as browser:
            shown = (await browser.get(place)).text
            assert "Each new rule" in shown
            assert "login: where &#34;locked&#34; stands in the text" in shown
            form = {"csrf": await csrf(browser, shown)}
            nothing = await browser.post(f"{place}/leave-out", data=form)
            assert "no rule is marked" in nothing.text
            less = await browser.post(f"{place}/leave-out", data={**form, "leave-login-locked": "yes"})
            assert less.url.path != place
            assert "without login-locked" in less.text
            assert "No model is asked" in less.text or "--no-work" in less.text
            voted = await browser.post(f"{place}/vote", data={**form, "choice": "for"})
            assert "runs that begin from now on are under it" in voted.text
            law = (await browser.get("/lead/rules")).text
            assert "transfer-payee" in law
            assert "Ada" in law
            assert draft.id in law
            told = (await browser.get(f"/api/v1/amendments/{draft.id}")).json()
            assert [rule["id"] for rule in told["impact"]["rules"]] == draft.document.ids()
            kept = [rule for rule in draft.document.rules if rule.id != "transfer-payee"]
            repeal = bank.propose(RuleBook(rules=kept), reason="It is about payees no more.")
            assert bank.ratify(repeal.id, override=True, reason="we know") == "ratified"
            gone = (await browser.get(f"/lead/amendments/{repeal.id}")).text
            assert "Repealed: <b>transfer-payee</b>, right on" in gone
            assert f'by <a href="/lead/amendments/{repeal.id}">' in (await browser.get("/lead/rules")).text

    visit(bank, steps)  # type: ignore[arg-type]


def test_a_draft_is_told_of_on_the_command_line(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bank.folder)
    monkeypatch.setenv("SOLON_STORE", bank.project.store.url)
    monkeypatch.setenv("SOLON_TOKEN", bank.tokens[0])
    Path("solon.toml").write_text(
        'judges = []\n[models.default]\nmodel = "scripted:default"\n[label]\nlabels = ["card", "transfer", "login"]\n'
        '[[rules]]\nname = "chip"\nlabel = "card"\nkeywords = ["engraved"]\n[law]\nquorum = 1\n'
    )

    def solon(*arguments: str, code: int = 0) -> str:
        assert run_command(list(arguments)) == code
        found = capsys.readouterr()
        return found.out + found.err

    assert "no rules were ever ratified" in solon("rules", "show", code=2)
    told = solon("rules", "propose")
    amendment = told.partition("amendment ")[2].partition(":")[0]
    assert f"solon rules impact {amendment} (it replays stored texts and verdicts, and asks no model)" in told
    measured = solon("rules", "impact", amendment)
    assert "unseen decisions, right on" in measured
    if "grey" in measured:
        named = (
            measured.partition("wrong as right: ")[2] or measured.partition("no unseen decision matches ")[2]
        )
        told = solon("rules", "leave-out", amendment, *named.partition(";")[0].split(", "))
        amendment = told.partition("amendment ")[2].partition(":")[0]
        solon("rules", "impact", amendment)
    assert "ratified" in solon("rules", "ratify", amendment)
    assert "label: transfer" in solon("rules", "show")
    assert "1.1.0" in solon("rules", "history")
    spoken = solon("rules")
    assert f"amendment {amendment}, ratified by Ada, in force since" in spoken
    assert "chip" in spoken
    solon("report")
    page = Path("report.html").read_text()
    assert "Rules by law" in page
    assert f"amendment {amendment}" in page
    assert "Ada" not in page, "people are pseudonyms there"
