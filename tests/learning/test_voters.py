"""Rules, a classifier, functions and verdicts brought along as voters of one panel over five labels, in tiers."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from solon import Project, judge
from solon.consensus.model import ConsensusModel
from solon.errors import ConfigError, SolonError
from solon.learning.evidence import Evidence, know_judged
from solon.recipes import Choice
from solon.recipes.label import LABEL
from solon.store.learning.evidence import JudgedItem
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.certificates import consensus_payload, newest_consensus
from solon.store.runs.runs import find_run
from solon.store.tables import calls, candidates, items, records, texts, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = {
    "card": ("plastic", "chip", "pin", "swipe"),
    "transfer": ("wire", "sent", "iban", "payee"),
    "fee": ("charged", "cost", "price", "commission"),
    "loan": ("borrow", "mortgage", "interest", "repay"),
    "login": ("password", "username", "reset", "locked"),
}
LABELS = tuple(WORDS)
FILLER = ("please", "today", "again", "why", "the", "help", "my", "still", "branch", "week")


def text_of(number: int) -> tuple[str, str]:
    """A text of one or two telling words among others, and its label."""
    draw = random.Random(f"text {number}")
    label = LABELS[number % len(LABELS)]
    words = [*draw.sample(WORDS[label], 2), *draw.sample(FILLER, 4)]
    draw.shuffle(words)
    return label, " ".join(words)


TRUTH = {text: label for label, text in map(text_of, range(400))}


@judge("iban", "1")
def iban(answer: str) -> bool:
    return "iban" in answer


@judge("strong", "1")
def strong(answer: str) -> str:
    draw = random.Random(f"strong {answer}")
    return TRUTH[answer] if draw.random() < 0.97 else draw.choice(LABELS)


RULES = [
    {"name": "plastic", "label": "card", "keywords": ["plastic", "swipe"]},
    {"name": "money", "label": "fee", "regex": r"\b(charged|commission)\b"},
    {"name": "iban", "label": "transfer", "python": f"{__name__}:iban"},
    {"name": "wrong", "label": "loan", "keywords": "branch"},
]


@contextmanager
def labelling(folder: Path, *, seeds: list[dict[str, Any]] | None = None, **config: Any) -> Iterator[Project]:
    recipe = replace(
        LABEL, name="topics", question=Choice(LABELS), steps=("draft", "judge", "review"), resumes=()
    )
    whole = {
        "models": {"default": {"model": "scripted:default"}},
        "judges": [],
        "rules": RULES,
        "classifier": {"enabled": True},
        "law": {"quorum": 1},
        "routing": {"policy": "pilot", "pilot": 160, "pilot_share": 1.0, "audit_share": 0.0},
        **config,
    }
    with Project(f"sqlite:///{folder}/topics.db", config=whole, recipes=[recipe]) as project:
        project.plugins = {f"{__name__}:{one.name}": one for one in (iban, strong)}
        project.store.key = "5a" * 32
        project.run("topics", seeds or [{"id": f"t{n}", "prompt": text_of(n)[1]} for n in range(260)])
        yield project


def rows(project: Project, query: Any) -> list[Any]:
    with project.store.connect() as connection:
        return list(connection.execute(query))


def answer(project: Project) -> int:
    query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
    bodies = {row.id: row.body for row in rows(project, query)}
    with project.store.connect() as connection:
        waiting = [one for one in list_reviews(connection, limit=5000) if one.rule == "pilot"]
    for review in waiting:
        said = {"choice": TRUTH[bodies[review.candidates[0]]]}
        decide(project.store, review.id, said, actor="expert:ada", channel="api", counts=True)
    return len(waiting)


def payload(project: Project) -> dict[str, Any]:
    with project.store.connect() as connection:
        scope = find_run(connection).scope
        return consensus_payload(connection, str(newest_consensus(connection, scope)))


def test_rules_and_a_classifier_label_a_set_without_a_model(tmp_path: Path) -> None:
    with labelling(tmp_path) as project:
        first = rows(project, select(verdicts))
        said = {(row.seat, row.outcome) for row in first}
        assert ("1: plastic", "card") in said
        assert ("1: plastic", "silent") in said
        assert ("3: iban", "transfer") in said
        assert {row.outcome for row in first if row.seat == "5: classifier"} == {"silent"}
        assert answer(project) >= 150
        learned = project.learn()
        assert learned.version is not None, learned.why
        weights = {
            name.split(":")[-1].split("+")[0].split("@")[0]: w
            for name, w in payload(project)["weights"].items()
        }
        assert payload(project)["classifier"]["n"] == learned.fitted_on
        assert weights["words"] > 0.5
        assert weights["wrong"] < min(weights["plastic"], weights["money"])
        by_seat = {one.name: one for one in project.evaluate("judges").judges}
        assert by_seat["1: plastic"].accuracy.value > 0.9, "where it is silent it is not wrong"
        assert by_seat["1: plastic"].verdicts < 260
        project.resume()
        machine = rows(
            project,
            select(records.c.label, texts.c.body)
            .join(candidates, candidates.c.id == records.c.chosen_id)
            .join(texts, texts.c.id == candidates.c.text_id)
            .where(records.c.decision_id.is_(None), records.c.superseded_at.is_(None)),
        )
        assert len(machine) > 30
        assert sum(TRUTH[row.body] == row.label for row in machine) / len(machine) > 0.9
        later = select(verdicts).where(verdicts.c.basis == "classifier")
        shares = [row.shares for row in rows(project, later)]
        assert shares
        assert all(abs(sum(each.values()) - 1) < 1e-4 and tuple(each) == LABELS for each in shares)


def test_a_classifier_waits_for_a_second_outcome_and_says_so(tmp_path: Path) -> None:
    cards = [text_of(5 * n)[1] for n in range(40)]
    with labelling(
        tmp_path, seeds=[{"id": f"c{n}", "prompt": one} for n, one in enumerate(cards)]
    ) as project:
        answer(project)
        learned = project.learn()
        assert learned.version is not None
        assert "no classifier: the decisions that teach name one outcome" in learned.why
        assert "classifier" not in payload(project)


def test_tiers_of_a_mixture_ask_the_strong_one_only_where_the_cheap_ones_are_not_sure(tmp_path: Path) -> None:
    seat = {"python": f"{__name__}:strong", "tier": 1}
    routing = {"policy": "threshold", "threshold": 0.3}
    with labelling(tmp_path, judges=[seat], routing=routing) as project:
        asked = {row.item_id for row in rows(project, select(verdicts).where(verdicts.c.seat == "1: strong"))}
        fired = select(verdicts.c.item_id).where(verdicts.c.basis == "rule").group_by(verdicts.c.item_id)
        by_rule = {row.item_id for row in rows(project, fired)}
        everything = {row.id for row in rows(project, select(items.c.id))}
        assert by_rule
        assert everything - by_rule <= asked
        assert len(asked) < len(everything)


def test_what_learning_sends_on_to_a_later_tier_is_judged_there_in_the_same_session(tmp_path: Path) -> None:
    seat = {"python": f"{__name__}:strong", "tier": 1}
    routing = {"policy": "pilot", "pilot": 45, "pilot_share": 1.0, "audit_share": 0.0, "alpha": 0.1}
    with labelling(tmp_path, judges=[seat], routing=routing) as project:
        before = {
            row.item_id for row in rows(project, select(verdicts).where(verdicts.c.seat == "1: strong"))
        }
        answer(project)
        summary = project.resume()
        after = {row.item_id for row in rows(project, select(verdicts).where(verdicts.c.seat == "1: strong"))}
        assert after > before
        assert (summary.stopped_because, summary.queued) == (None, 0)


def test_verdicts_brought_along_and_rules_are_one_panel(tmp_path: Path) -> None:
    def seed(number: int) -> dict[str, Any]:
        label, text = text_of(number)
        crowd = [{"judge": f"worker {w}", "verdict": label if (number + w) % 4 else "fee"} for w in range(3)]
        return {"id": f"t{number}", "prompt": text, "verdicts": crowd}

    with labelling(tmp_path, seeds=[seed(n) for n in range(60)]) as project:
        seats = {row.seat for row in rows(project, select(verdicts.c.seat).distinct())}
        assert {"worker 0", "worker 1", "worker 2", "1: plastic", "5: classifier"} <= seats


def test_a_verdict_that_is_no_label_is_refused_by_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the refused rows go beside a store that is no file
    seeds = [
        {"id": "good", "prompt": "a", "verdicts": [{"judge": "w", "verdict": "fee"}]},
        {"id": "bad", "prompt": "b", "verdicts": [{"judge": "w", "verdict": "fees"}]},
        {"id": "c", "prompt": "c", "verdicts": [{"judge": "w", "verdict": "fee", "shares": {"fie": 1.0}}]},
        {"id": "d", "prompt": "d", "verdicts": [{"judge": "w", "verdict": "fee", "shares": {"card": 1.0}}]},
    ]
    with labelling(tmp_path, seeds=seeds) as project:
        assert len(rows(project, select(items.c.id))) == 1
        [told] = tmp_path.glob("*bad-rows.jsonl")
        first, second, third = told.read_text().splitlines()
        assert "verdicts[0].verdict: 'fees' is no outcome of the recipe; did you mean 'fee'" in first
        assert "verdicts[0].shares: 'fie' is no outcome" in second
        assert "verdict is 'fee', and its shares are highest for 'card'" in third


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"rules": [{"name": "x", "label": "cart", "regex": "a"}]}, "did you mean 'card'"),
        ({"rules": [{"name": "x", "label": "card", "regex": "(a"}]}, "regex of the rule 'x' cannot be read"),
        ({"rules": [{"name": "x", "label": "card"}]}, "nothing to match by"),
        ({"rules": [{"name": "x", "label": "card", "regex": "a", "keywords": ["b"]}]}, "regex and keywords"),
        ({"rules": [{"name": "x", "regex": "a"}]}, "no label to vote for"),
        ({"rules": [*RULES, RULES[0]]}, "two rules are named 'plastic'"),
        ({"rules": [{"name": "x", "label": "card", "keywords": [" "]}]}, "an empty keyword"),
        ({"rules": [], "classifier": {}}, "nobody votes"),
        ({"rules": [{"name": "x", "label": "card", "regex": "(p+l*)+$"}]}, "runs away"),
    ],
)
def test_voters_that_cannot_vote_are_refused_before_anything_is_asked(
    tmp_path: Path, config: dict[str, Any], told: str
) -> None:
    seeds = [{"id": "long", "prompt": "p" * 4000 + "!"}] if told == "runs away" else None
    with pytest.raises(SolonError) as caught, labelling(tmp_path, seeds=seeds, **config):
        pass
    assert told in f"{caught.value.cause} {caught.value.next_step}"


def test_rules_and_classifier_are_refused_where_two_texts_are_compared(tmp_path: Path) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "rules": [RULES[0]]}
    with Project(f"sqlite:///{tmp_path}/pairs.db", config=config) as project:
        with pytest.raises(ConfigError) as caught:
            project.run("preference", [{"prompt": "hello"}])
        problems = {facts.name: facts.problem for facts in project.list_recipes()}
    assert "speak of one" in caught.value.cause
    assert "speak of one" in problems["preference"]
    assert "no outcome" in problems["instruction"], "the rule votes for a label of another recipe"
    assert not problems["label"] or "needs labels" in problems["label"]


def test_texts_of_judged_items_are_read_only_where_a_model_goes_by_them() -> None:
    class Unread:
        def execute(self, *_: Any) -> None:
            raise AssertionError("nothing needs to be read")

    one = JudgedItem("i", 0, "waiting", False, None, None, None, None, ("a", "b"))
    evidence = Evidence([], [one], {}, {}, {}, {}, {}, frozenset(), frozenset())
    unread: Any = Unread()
    assert know_judged(unread, evidence, [ConsensusModel.prior()]).judged == [one]
    with pytest.raises(AssertionError, match="nothing needs"):
        know_judged(unread, evidence, [replace(ConsensusModel.prior(), texts={"length": 0.4})])


@judge("unsure", "1")
def unsure(answer: str, labels: list[str]) -> dict[str, float]:
    left = 0.6 if TRUTH[answer] != "fee" else 0.2
    return {TRUTH[answer]: 1.0 - left, "fee": left} if TRUTH[answer] != "fee" else {"fee": 1.0}


def test_a_function_may_give_a_probability_for_every_label(tmp_path: Path) -> None:
    with labelling(tmp_path, judges=[{"python": f"{__name__}:strong"}], rules=[]) as project:
        project.plugins |= {f"{__name__}:unsure": unsure}
        project.config = project.config.model_copy(
            update={"judges": (project.config.judges[0].model_copy(update={"python": f"{__name__}:unsure"}),)}
        )
        number = next(n for n in range(300, 400) if text_of(n)[0] == "loan")
        project.run("topics", [{"id": "new", "prompt": text_of(number)[1]}], new_run=True)
        [said] = rows(project, select(verdicts).where(verdicts.c.seat == "1: unsure"))
        assert said.outcome == "fee"
        assert said.shares == {"card": 0.0, "transfer": 0.0, "fee": 0.6, "loan": 0.4, "login": 0.0}


def test_a_rule_may_ask_a_model_and_its_call_is_made_once(tmp_path: Path) -> None:
    asked = {"name": "angry", "label": "fee", "prompt": "Does the text complain about a price?"}
    with labelling(tmp_path, rules=[asked], classifier={}) as project:
        said = rows(project, select(verdicts).where(verdicts.c.seat == "1: angry"))
        assert {row.outcome for row in said} == {"fee", "silent"}
        assert all(row.call_id for row in said)
        made = len(rows(project, select(calls.c.id)))
        project.run("topics", [{"id": f"t{n}", "prompt": text_of(n)[1]} for n in range(260)])
        assert len(rows(project, select(calls.c.id))) == made == 260


def test_rules_accept_or_reject_the_answers_of_another_recipe(tmp_path: Path) -> None:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "generator": {"revise": False},
        "rules": [{"name": "says_check", "label": "reject", "regex": "check|measure|compare"}],
        "routing": {"policy": "never", "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/answers.db", config=config) as project:
        project.run("instruction", [f"Explain topic {n}." for n in range(12)])
        said = rows(project, select(verdicts).where(verdicts.c.seat == "3: says_check"))
        assert {row.outcome for row in said} == {"reject", "silent"}


def test_a_store_that_was_closed_in_the_middle_hears_the_same_of_each_text(tmp_path: Path) -> None:
    def heard(project: Project) -> dict[str, tuple[str, Any]]:
        said = rows(project, select(verdicts).where(verdicts.c.seat == "5: classifier"))
        return {f"{row.item_id}:{row.attempt}": (row.outcome, row.shares) for row in said}

    with labelling(tmp_path) as project:
        answer(project)
        project.learn()
        project.resume()
        before = heard(project)
        recipe = project.recipe("topics")
    with Project(f"sqlite:///{tmp_path}/topics.db", config=project.config, recipes=[recipe]) as again:
        again.plugins = {f"{__name__}:{one.name}": one for one in (iban, strong)}
        again.resume()
        assert heard(again) == before
        assert any(shares for _, shares in before.values())
