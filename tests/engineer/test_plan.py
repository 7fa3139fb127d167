"""A plan's figures follow from its configuration, and from what was measured once something was."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from solon.config import parse_config
from solon.consensus.strata import drawn_beyond, fewest_of
from solon.errors import UsageError
from solon.operations.planning import make_plan, measure, plan_home
from solon.operations.planning.answers import minutes_of
from solon.operations.planning.assumed import WORDS_PER_MINUTE
from solon.operations.planning.promise import warn_of_pilot
from solon.recipes.preference import PREFERENCE
from solon.store.tables import table_of

PRICED = {"model": "scripted:default", "price": {"input": 2.0, "output": 10.0}}
BASE: dict[str, Any] = {"models": {"default": PRICED}, "routing": {"policy": "always"}}
TEAM = {"experts": 12, "minutes": 30, "days": 20}
SEEDS = [{"id": f"s{i}", "prompt": f"Say what {i} is"} for i in range(6)]


def test_assumed_figures_follow_the_configuration() -> None:
    made = make_plan(parse_config(BASE), items=1000, **TEAM)
    assert made.expert_hours == 120
    # drafts, critiques, verdicts of two seats in both orders, without revision, resolver and redraft
    assert made.calls.low == 1000 * (2 + 2 + 4)
    assert made.calls.low < made.calls.likely < made.calls.high
    assert made.wanted_reviews.low == made.wanted_reviews.high == 1000
    assert made.affordable_reviews.likely == pytest.approx(120 * 3600 / made.review_seconds.likely)
    assert made.seen.likely == pytest.approx(min(1.0, made.affordable_reviews.likely / 1000))
    assert made.cost is not None
    assert made.tokens.likely * 2 / 1e6 < made.cost.likely < made.tokens.likely * 10 / 1e6
    assert {r.source for r in (made.calls, made.tokens, made.cost, made.seen)} == {"assumed"}
    twice = make_plan(parse_config(BASE), items=2000, **TEAM)
    assert twice.calls.likely == pytest.approx(2 * made.calls.likely)
    assert twice.review_seconds == made.review_seconds


def test_more_words_take_longer_to_read() -> None:
    short = make_plan(parse_config(BASE), items=10, words=50, **TEAM)
    long = make_plan(parse_config(BASE), items=10, words=50 + WORDS_PER_MINUTE, **TEAM)
    assert long.review_seconds.likely - short.review_seconds.likely == pytest.approx(60)


@pytest.mark.parametrize(
    ("routing", "low", "high"),
    [
        ({"policy": "never", "audit_share": 0.1}, 100, 100),
        ({"policy": "budget", "budget": 70}, 70, 70),
        ({"policy": "threshold", "audit_share": 0.0}, 100, 600),
        ({"policy": "pilot", "pilot": 40, "audit_share": 0.0}, 50 + 96, 50 + 576),
        ({"policy": "pilot", "pilot": 40, "audit_share": 0.0, "target": "majority(3)"}, 120 + 96, 120 + 576),
        ({"policy": "never", "audit_share": 0.1, "target": "adjudicated"}, 300, 300),
    ],
)
def test_wanted_reviews_follow_the_policy(routing: dict[str, Any], low: float, high: float) -> None:
    made = make_plan(parse_config({**BASE, "routing": routing}), items=1000, **TEAM)
    assert made.wanted_reviews.low == pytest.approx(low)
    assert made.wanted_reviews.high == pytest.approx(high)


def test_an_unknown_price_makes_the_cost_unknown_and_functions_cost_nothing() -> None:
    unpriced = {"models": {"default": {"model": "scripted:default"}}}
    assert make_plan(parse_config(unpriced), items=10, **TEAM).cost is None
    own = parse_config({**BASE, "judges": [{"python": "a:b"}], "critic": {"python": "a:c"}})
    assert make_plan(own, items=1, **TEAM).calls.low == 2


def test_measured_once_there_is_a_run(open_project: Any) -> None:
    project = open_project(models={"default": PRICED})
    run = project.run("preference", SEEDS)
    made = make_plan(project.config, items=600, store=project.store, **TEAM)
    assert made.measured_items == 6
    assert made.calls.likely == pytest.approx(run.model_calls * 100)
    assert made.tokens.likely == pytest.approx(run.tokens * 100)
    assert made.cost is not None
    assert run.cost is not None
    assert made.cost.likely == pytest.approx(run.cost * 100)
    assert made.calls.low <= made.calls.likely <= made.calls.high
    assert made.calls.source == made.tokens.source == made.cost.source == "measured"
    rates = measure(project.store, "preference", project.config)
    assert rates is not None
    assert rates.unsure is not None
    assert rates.unsure.mean == pytest.approx(run.pending_review / 6)
    # another panel was not measured
    other = parse_config({**BASE, "judges": [{"persona": "someone"}]})
    assert make_plan(other, items=600, store=project.store, **TEAM).measured_items == 0


def test_enough_or_not(open_project: Any) -> None:
    config = parse_config(BASE)
    assert make_plan(config, items=100_000, experts=1, minutes=5, days=1).enough == "no"
    assert make_plan(config, items=10, experts=50, minutes=60, days=20).enough == "yes"
    nobody = make_plan(config, items=10, experts=0, minutes=0, days=0)
    assert nobody.seen.high == 0
    with pytest.raises(UsageError, match="no recipe 'preferences'"):
        plan_home(config, items=10, recipe="preferences", **TEAM)


def test_command_line(command: Any, folder: Any) -> None:
    asked = ("plan", "--items", 20000, "--experts", 12, "--minutes", 30, "--days", 20)
    code, out, err = command(*asked, "--json")
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert told["cost"] is None
    assert 0 < told["seen"]["low"] < told["seen"]["high"] < 1
    code, out, err = command(*asked)
    assert "unknown: a model has no price" in out
    assert "assumed from word counts" in err
    assert not (folder / "solon.db").exists()
    batched = {**BASE, "models": {"default": {"model": "openai:m", "batch": True}}}
    [note] = [one for one in parse_config(batched).notes() if "batches" in one]
    assert note.startswith("calls of default wait for batches at the provider")
    assert command("plan", "--items", 0, "--experts", 1, "--minutes", 1, "--days", 1)[0] == 2


def test_the_answer_comes_first_with_three_ways_out(command: Any, folder: Any) -> None:
    people = ("--experts", 2, "--minutes", 30, "--days", 20)
    code, out, err = command("plan", "preference", "--items", 20000, *people)
    assert code == 0, err
    assert re.match(r"short by \d+\.\d times: the policy asks for [\d,]+ reviews", out)
    blocks = re.findall(r"^    (.+)$", out, re.MULTILINE)
    assert blocks[:2] == ["[routing]", 'policy = "budget"']
    (budget,) = (line for line in blocks if line.startswith("budget = "))
    days, fewer = blocks[-2].split(), blocks[-1].split()
    assert (days[:3], fewer[:3]) == (["solon", "plan", "preference"], ["solon", "run", "preference"])
    # each of them, pasted, is enough
    assert command(*days[1:])[1].startswith(("likely enough", "enough"))
    smaller = command("plan", "--recipe", "preference", "--items", int(fewer[-1]), *people)[1]
    assert smaller.startswith(("likely enough", "enough"))
    (folder / "solon.toml").write_text(f'[routing]\npolicy = "budget"\n{budget}\n')
    told = json.loads(command("plan", "--items", 20000, *people, "--json")[1].splitlines()[-1])
    assert told["sentence"].startswith(("likely enough", "enough"))
    assert told["ways_out"] == []


def test_nobody_to_answer_is_said_without_ways_out() -> None:
    made = make_plan(parse_config(BASE), items=10, experts=0, minutes=0, days=0)
    assert made.sentence.startswith("nobody has time to answer: the policy asks for ")
    assert made.ways_out == ()


GROUPS = [
    *({"id": f"c{i}", "prompt": "word " * 10, "specialty": "Cardiology", "lang": "en"} for i in range(30)),
    *({"id": f"d{i}", "prompt": "word " * 400, "specialty": "dermatology", "lang": "de"} for i in range(10)),
]


def groups() -> list[Any]:
    from solon.formats.seed_groups import count_groups
    from solon.formats.seed_rows import SeedRow
    from solon.formats.seeds import read_seed_rows

    return count_groups(row for row in read_seed_rows(GROUPS) if isinstance(row, SeedRow))


def test_groups_of_seeds_share_the_experts_by_the_time_that_they_take() -> None:
    made = make_plan(parse_config(BASE), items=40, groups=groups(), **TEAM)
    cardiology, dermatology = made.groups
    assert (cardiology.specialty, cardiology.lang, cardiology.items) == ("cardiology", "en", 30)
    assert (dermatology.specialty, dermatology.items) == ("dermatology", 10)
    assert dermatology.review_seconds.likely - cardiology.review_seconds.likely == pytest.approx(
        390 * 60 / WORDS_PER_MINUTE
    )
    assert sum(group.expert_hours for group in made.groups) == pytest.approx(made.expert_hours)
    # where nobody is bound to a specialty, all see the same share
    assert cardiology.affordable_reviews.likely / 30 == pytest.approx(
        dermatology.affordable_reviews.likely / 10
    )
    assert sum(group.wanted_reviews.likely for group in made.groups) == pytest.approx(
        made.wanted_reviews.likely
    )
    for group in made.groups:
        assert group.seen.low <= group.seen.likely <= group.seen.high <= 1


def test_experts_of_a_specialty_answer_that_one() -> None:
    config = parse_config({**BASE, "plan": {"experts": {"Dermatology": 9}}})
    cardiology, dermatology = make_plan(config, items=40, groups=groups(), **TEAM).groups
    assert (dermatology.expert_hours, cardiology.expert_hours) == (pytest.approx(90), pytest.approx(30))


def test_shares_of_the_configuration_and_measured_seconds(open_project: Any) -> None:
    from sqlalchemy import update

    from solon.store.tables.people import Decision, Review

    shares = {"plan": {"specialties": {"a": 3, "b": 1}, "languages": {"en": 1, "de": 1}}}
    made = make_plan(parse_config({**BASE, **shares}), items=800, **TEAM)
    assert [(g.specialty, g.lang, g.items) for g in made.groups] == [
        ("a", "de", 300),
        ("a", "en", 300),
        ("b", "de", 100),
        ("b", "en", 100),
    ]
    project = open_project(models={"default": PRICED}, routing={"policy": "always"})
    project.run("preference", [{**seed, "specialty": "a", "lang": "en"} for seed in SEEDS])
    config = parse_config(BASE)

    def each() -> float:
        """Seconds of an answer: of the plan, of `status` and of a pilot that grows alike."""
        seconds = make_plan(config, items=8, store=project.store, **TEAM).review_seconds.likely
        queue = project.summarize().queue
        assert queue is not None
        assert queue["minutes"] == pytest.approx(queue["reviews"] * seconds / 60, abs=0.06)
        assert minutes_of(project.store, config, PREFERENCE, 48).likely == pytest.approx(seconds)
        return seconds

    assert each() < make_plan(config, items=8, **TEAM).review_seconds.likely / 2, "the texts are short"
    for review in project.reviews()[:5]:
        project.decide(review, "tie")
    decisions, reviews = table_of(Decision), table_of(Review)
    with project.store.transaction() as connection:
        connection.execute(update(decisions).values(counts=True, active_seconds=40.0))
        connection.execute(update(reviews).values(specialty="a", lang="en", minutes=0.5))
    assert each() == 40
    made = make_plan(parse_config({**BASE, **shares}), items=800, store=project.store, **TEAM)
    by_name = {(g.specialty, g.lang): g.review_seconds for g in made.groups}
    assert (by_name["a", "en"].likely, by_name["a", "en"].source) == (40, "measured")


def test_a_limit_on_cost(command: Any, folder: Any) -> None:
    asked = ("plan", "--experts", 12, "--minutes", 30, "--days", 20)
    code, _, err = command(*asked, "--items", 100, "--max-cost", 5)
    assert (code, "price" in err) == (2, True)
    (folder / "solon.toml").write_text(
        '[models.default]\nmodel = "scripted:default"\n[models.default.price]\ninput = 2.0\noutput = 10.0\n'
    )
    (folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in GROUPS))
    for most, within in ((1000, "yes"), (0.001, "no")):
        code, out, err = command(*asked, "--seeds", "seeds.jsonl", "--max-cost", most, "--json")
        assert code == 0, err
        told = json.loads(out.splitlines()[-1])
        assert (told["items"], told["within_max_cost"]) == (40, within)
        assert [group["specialty"] for group in told["groups"]] == ["cardiology", "dermatology"]
    code, out, _ = command(*asked, "--seeds", "seeds.jsonl", "--items", 4000, "--max-cost", 1)
    assert (code, "3000" in out, "goes over" in out) == (0, True, True)
    assert command(*asked)[0] == 2


def test_no_way_out_takes_more_seeds_than_the_file_has() -> None:
    from solon.operations.planning.shortfall import Team, find_ways_out

    def last(rows: int | None) -> str:
        ways = find_ways_out(
            "preference", 20_000, Team(2, 30, 5), 100, lambda n: n / 10, file="clinic.jsonl", rows=rows
        )
        return ways[-1].paste

    assert last(None) == "solon run preference --seeds clinic.jsonl --limit 1000"
    assert last(5_000) == "solon run preference --seeds clinic.jsonl --limit 1000"
    assert last(10) == "solon run preference --seeds clinic.jsonl"


def expected(items: int, *, experts: int = 12, minutes: float = 30, days: int = 20, **routing: Any) -> str:
    config = parse_config({"models": {"default": PRICED}, "routing": routing})
    return make_plan(config, items=items, experts=experts, minutes=minutes, days=days).promise


def test_a_plan_says_what_certificate_can_be_expected() -> None:
    told = expected(480)
    assert "a pilot of 120 leads to a certificate of 90% agreement with probability 1.00" in told
    assert "0.57 where they agree on 95%" in told
    assert not expected(480, policy="never")
    assert "the strictest one that is likely within the time: alpha = " in expected(480, alpha=0.02)
    assert "no other setting is likely to lead to one" in expected(3)


def test_a_plan_begins_with_what_fits_and_never_makes_most_of_a_run_its_pilot() -> None:
    hurried = expected(480, experts=1, minutes=20, days=3)
    assert hurried.startswith("certificate: what fits into the time: alpha = 0.2 with pilot = 20 (")
    assert (
        "the pilot of 120 takes 150 answers, those of second experts with them, and there is time for "
        in hurried
    )
    assert expected(480, experts=1, minutes=1, days=3).startswith("certificate: none fits into the time; ")
    for items in (60, 100, 300, 480, 2000):
        told = expected(items, alpha=0.02)
        recommended = re.findall(r"with pilot = (\d+)", told)
        assert all(int(pilot) <= items / 4 for pilot in recommended), told
    small = expected(100)
    assert "of the finished set 90% can be promised for" in small
    assert small.endswith("more answers: `solon release create NAME --promise 0.9`")
    assert "finished set" not in expected(480, alpha=0.2), "a certificate is likely"


def test_a_run_is_warned_of_a_pilot_that_can_hardly_be_certified() -> None:
    routing = parse_config({"models": {"default": PRICED}}).routing
    assert "0.31 where they agree on 95%" in warn_of_pilot(routing, 100)
    assert not warn_of_pilot(routing, 480)
    assert not warn_of_pilot(routing, 12), "a trial"


def test_what_strata_draw_beyond_the_pilot_is_planned_where_the_seeds_name_them() -> None:
    routing = {"policy": "pilot", "pilot": 40, "alpha": 0.2, "audit_share": 0.0}
    fields = ["lungs"] * 900 + ["skin"] * 100
    seeds = [{"id": str(i), "prompt": f"What is {i}?", "specialty": s} for i, s in enumerate(fields)]
    plain, drawn = (
        plan_home(parse_config({**BASE, "routing": own}), seeds=seeds, **TEAM).wanted_reviews.low
        for own in (routing, {**routing, "strata": "specialty"})
    )
    of_skin = fewest_of(2, 0.2, 0.1) - 4  # four of the forty are expected to be of it
    assert of_skin > 0
    assert drawn == pytest.approx(
        plain + of_skin * (1.25 - 0.1)
    )  # of the rest a tenth at least is asked about


def test_a_stratum_that_is_too_small_for_a_promise_draws_nothing() -> None:
    assert drawn_beyond({"lungs": 990, "skin": 10}, 1000, 60, 0.2, 0.1) == 0.0


def test_rubrics_that_are_drafted_are_counted(open_project: Any) -> None:
    drafted = {**BASE, "law": {"seed_rubrics": "drafted"}, "routing": {"policy": "budget", "budget": 70}}
    config, plain = parse_config(drafted), parse_config({**drafted, "law": {}})
    with_them, without = (plan_home(one, items=1000, **TEAM) for one in (config, plain))
    for name, most in (("calls", 3000), ("wanted_reviews", 1000)):
        now, before = getattr(with_them, name), getattr(without, name)
        assert now.bounds == pytest.approx((before.low, before.likely + 1000, before.high + most))
    assert "up to 1,000 of the reviews wanted ask for a rubric" in with_them.notes[-1]
    short = plan_home(parse_config({**drafted, "routing": {"policy": "always"}}), items=10_000, **TEAM)
    budget = round(short.affordable_reviews.likely) - 10_000
    assert budget < 0
    assert not any("budget" in way.paste for way in short.ways_out), "rubrics alone take more than there is"
    rows = [{"prompt": f"What is number {n}?"} for n in range(4)]
    some = [*rows[:3], {**rows[3], "rubric": ["Is short."]}, {"prompt": "Why?", "rubric": ["a", "a"]}]
    found = plan_home(parse_config(drafted), seeds=some, **TEAM)
    of_plain = plan_home(plain, seeds=rows, **TEAM)
    assert found.wanted_reviews.high - of_plain.wanted_reviews.high == pytest.approx(3)
    assert any(note.startswith("1 rows cannot be used as seeds and are in no figure") for note in found.notes)
    project = open_project(models={"default": PRICED}, law={"seed_rubrics": "drafted"})
    assert project.run("preference", SEEDS).pending_review == 6
    assert project.plan(items=6, **TEAM).measured_items == 0, "an item whose rubric waits has no answers yet"
    assert not any("carried over" in note for note in project.plan(items=6, **TEAM).notes)
    project.decide(project.reviews()[0], "go_on")
    assert any(
        "is carried over to the same questions" in note for note in project.plan(items=6, **TEAM).notes
    )


def test_no_call_is_planned_for_seeds_that_bring_their_verdicts() -> None:
    said = [{"judge": "x", "verdict": "A"}, {"judge": "y", "verdict": "B"}]
    plain = [{"prompt": f"What is {n}?", "responses": ["one", "two"]} for n in range(4)]
    config = parse_config(BASE)
    without = plan_home(config, seeds=plain, **TEAM)
    half = plan_home(config, seeds=[*plain[:2], *({**row, "verdicts": said} for row in plain[2:])], **TEAM)
    assert half.calls.bounds == pytest.approx([n / 2 for n in without.calls.bounds])
    assert half.notes[-1].startswith(
        "2 of 4 seeds bring verdicts: no model writes or judges anything of these"
    )
    short = [{"prompt": "What?", "verdicts": said}]  # drafts are written, and judged
    assert plan_home(config, seeds=short, **TEAM).calls.high > 0
