"""Every suite on a store whose every answer is known, from Python and from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, text, update

from solon import Project
from solon.consensus import control_variate
from solon.errors import UsageError
from solon.eval import registry
from solon.eval.material import Material, gather
from solon.eval.replay.opinions import counted
from solon.eval.result import SuiteResult, rate
from solon.eval.suites import agreement, audit, compare, contamination, duplicates, judges, quality
from solon.store.database.store import Store
from solon.store.records import evaluation
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.verdicts import scores_on
from solon.store.tables import items, verdicts

from .conftest import CONFIG, seed_rows

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def material(store: Store) -> Material:
    return gather(store)


def test_agreement_counts_blind_answers_only(material: Material, known: Any) -> None:
    found = agreement.evaluate(material)
    assert known.overlaps > 0
    assert found.n == found.panel_expert.n == known.pilots + known.seconds + known.overlaps + known.audits
    assert found.by_rule["pilot"].n == known.pilots + known.seconds + known.overlaps
    assert found.by_rule["audit"].n == known.audits
    # Audits are drawn among accepted records, of which the panel was sure: they do not speak for all items.
    # Each item counts once, by its first answer.
    assert (found.random.n, found.audited.n) == (known.pilots, known.audits)
    assert set(found.by_reviewer) == set(known.experts)
    assert sum(figure.n for figure in found.by_domain.values()) == found.n
    assert found.ceiling.items == found.experts[0].agreement.n == known.seconds + known.overlaps
    assert found.expert_expert_alpha.n == known.seconds + known.overlaps
    assert known.local >= 1
    given = found.n + known.local
    left_out = f"{known.local} of {given} answers do not count: {known.local} given without an expert's token"
    assert any(note.startswith(left_out) for note in found.notes)
    assert sum(period.agreement.n for period in found.over_time) == found.n
    for figure in (found.panel_expert, found.expert_expert_alpha, found.judge_judge_fleiss):
        assert figure.value is not None
        assert figure.low <= figure.value <= figure.high


def test_each_item_counts_once_and_a_redraft_is_none_that_was_unsure(tmp_path: Path) -> None:
    config = {**CONFIG, "routing": {"policy": "always", "max_redrafts": 1}}
    with Project(f"sqlite:///{tmp_path / 'always.db'}", config=config) as project:
        actor = add_expert(project.store, "Ada", by="local:test")[0].actor
        project.run("preference", seed_rows(6))
        choices = ["redraft", "both_bad", "tie"]
        for _ in range(2):
            with project.store.connect() as connection:
                waiting = list_reviews(connection, limit=100)
            attempted = [review for review in waiting if review.ordinal or review.rule == "asked_back"]
            for review in attempted or waiting[: len(choices)]:
                choice = "tie" if attempted else choices.pop()
                given = {"choice": choice, "rationale": "Neither is right."}
                if choice == "redraft":
                    given["guidance"] = "Name a source."
                decide(project.store, review.id, given, actor=actor, channel="api", counts=True)
            project.resume()
        found = agreement.evaluate(gather(project.store))
    assert {rule: figure.n for rule, figure in found.by_rule.items()} == {"always": 4, "asked_back": 1}
    assert (found.random.n, found.routed.n) == (3, 0)
    assert (found.asked.asked, found.asked.answered, found.asked.agreed) == (6, 3, 0)
    assert "6 were asked, 3 have an answer that counts, 0 agree: if the other 3" in str(found.asked)


def test_where_nobody_answered_judges_are_said_to_be_compared_on_answered_items(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": f"Question {n}?",
            "responses": ["one", "two"],
            "verdicts": [{"judge": judge, "verdict": "A"} for judge in ("x", "y", "z")],
        }
        for n in range(3)
    ]
    with Project(f"sqlite:///{tmp_path / 'judged.db'}", config={"routing": {"policy": "never"}}) as project:
        project.run("preference", rows)
        found = agreement.evaluate(gather(project.store))
    for figure in (found.judge_judge_alpha, found.judge_judge_fleiss):
        assert figure.value is None
        assert figure.why == agreement.NOT_JUDGED


def test_audits_speak_of_the_record_that_was_audited(material: Material, known: Any) -> None:
    [run] = audit.evaluate(material).runs
    assert run.agreement.n == known.audits
    assert run.agreement.value == pytest.approx(known.audits_agreed / known.audits)
    exact = rate(known.audits_agreed, known.audits)
    assert (run.agreement.low, run.agreement.high) == (exact.low, exact.high)
    assert run.certified.n + run.provisional.n == known.audits
    assert run.unsafe.value == pytest.approx(1 / known.audits)
    assert run.unsafe.low == 0.0
    assert run.state in ("alarm", "green", "cannot tell")
    assert run.promise == pytest.approx(0.6)


def test_audits_are_sharpened_where_there_are_enough_of_them(
    material: Material, known: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run] = audit.evaluate(material).runs
    assert run.asked.asked == run.asked.answered + run.asked.gaps >= known.audits
    assert (run.saved, run.sharpened.n <= known.audits) == (0.0, True)
    assert audit.tell_saving(material.store) == "", "too few to say"
    monkeypatch.setattr(control_variate, "LEAST", 5)
    monkeypatch.setattr(control_variate, "BOTH", 1)
    monkeypatch.setattr(audit, "LEAST_AUDITS", 5)
    found = audit.evaluate(material)
    [sharp] = found.runs
    assert sharp.agreement == run.agreement, "the plain figure stays"
    assert 0 < sharp.sharpened.low <= (sharp.sharpened.value or 0) <= sharp.sharpened.high <= 1
    told = f"of {sharp.sharpened.n} audits of run {sharp.name[:10]} the panel's confidence saves {sharp.saved:.0%}, "
    assert audit.tell_saving(material.store).startswith(told)
    assert any(note.startswith(told) for note in found.notes)


def test_judges_are_measured_seat_by_seat(material: Material, known: Any) -> None:
    found = judges.evaluate(material)
    first, second = found.judges
    assert first.model.endswith("default")
    assert second.model.endswith("split")
    # The fixture's first expert sides with the first judge on almost all pilots.
    assert (first.accuracy.value or 0) > (second.accuracy.value or 0)
    for judge in found.judges:
        assert judge.accuracy.n <= known.pilots + known.audits + 3
        assert judge.flips.value == 0.0
        assert judge.first_shown.value == pytest.approx(0.5)
        assert judge.ece is not None
        assert 0 <= judge.ece <= 1
        for told, span in ((judge.ece, judge.ece_interval), (judge.brier, judge.brier_interval)):
            assert span is not None
            assert 0 <= span[0] < span[1] <= 1
            assert told is not None
            assert span[0] <= told
        assert (judge.brier or 0) <= (judge.brier_interval or (0, 0))[1]
        assert sum(b.right.n for b in judge.reliability) == judge.accuracy.n
        assert judge.cost_per_correct is not None
        assert judge.cost_per_correct > 0
        assert judge.length_bias.low <= (judge.length_bias.value or 0) <= judge.length_bias.high
    assert first.cost_per_correct < second.cost_per_correct  # type: ignore[operator]


def test_what_nobody_decided_is_no_cost_of_right_verdicts(material: Material) -> None:
    with material.store.connect() as connection:
        cast = list(evaluation.paid_votes(connection, material.run_ids))
        given = counted(evaluation.answers(connection, material.run_ids))
    decided = {(a.item_id, a.attempt) for a in given}
    for judge in judges.evaluate(material).judges:
        own = [paid for paid in cast if paid.vote.seat == judge.name]
        known = [paid for paid in own if paid.what[:2] in decided]
        assert len(known) < len(own)
        hits = (judge.accuracy.value or 0) * judge.accuracy.n
        # Experts who tie leave no side to be right on: with them the sum may only be larger.
        assert judge.cost_per_correct is not None
        assert 0 < judge.cost_per_correct * hits <= sum(f.cost or 0.0 for f in known) + 1e-9
        assert judge.tokens_per_correct is not None
        assert 0 < judge.tokens_per_correct * hits <= sum(f.tokens for f in known) + 1e-6


def test_families_that_the_configuration_states_go_before_names(copied: str) -> None:
    with Store(copied) as store:
        assert {judge.family for judge in judges.evaluate(gather(store)).judges} == {"default", "split"}
        with store.transaction() as connection:
            from solon.store.tables import configs

            [payload] = connection.execute(select(configs.c.payload)).scalars()
            for model in payload["models"].values():
                model["family"] = "Kin"
            connection.execute(update(configs).values(payload=payload))
        assert {judge.family for judge in judges.evaluate(gather(store)).judges} == {"kin"}


def test_a_seat_that_changed_its_model_is_told_under_all_of_them(copied: str) -> None:
    with Store(copied) as store:
        before = judges.evaluate(gather(store)).judges[1]
        with store.transaction() as connection:
            half = select(items.c.id).where(items.c.position % 2 == 1)
            changed = update(verdicts).where(verdicts.c.seat == before.name, verdicts.c.item_id.in_(half))
            connection.execute(changed.values(judge="scripted:later"))
        found = judges.evaluate(gather(store))
    assert found.judges[1].model == f"{before.model}, scripted:later"
    assert found.judges[1].family == f"{before.family}, later"
    [note] = [note for note in found.notes if "several models" in note]
    assert note.startswith(f"{before.name} was held by several models ({before.model}, scripted:later)")


def test_quality_names_the_records_behind_its_findings(material: Material) -> None:
    found = quality.evaluate(material)
    assert found.n == found.refusals.n > 0
    assert found.words is not None
    assert found.words.shortest <= found.words.median <= found.words.longest
    # Every seed of the fixture asks for two sentences.
    assert found.constraints.n == found.n
    assert found.constraints_rejected.n > 0
    assert set(found.constraints_by_kind) == {"length_constraints:number_sentences"}
    broken = round((1 - (found.constraints.value or 0)) * found.n)
    assert set(found.flagged) == ({"constraint_not_kept"} if broken else set())
    assert len(found.flagged.get("constraint_not_kept", ())) == min(20, broken)
    assert found.empty.value == 0.0


def test_answers_in_another_language_than_their_seeds_state_are_found(copied: str) -> None:
    with Store(copied) as store:
        before = quality.evaluate(gather(store)).other_language
        foreign = (
            "Der Rat ist nicht gut, und das Gericht hat die Klage mit einer Frist von zwei Wochen abgewiesen."
        )
        with store.transaction() as connection:
            [text_id] = connection.execute(
                text(
                    "SELECT candidates.text_id FROM candidates JOIN records ON records.chosen_id = candidates.id "
                    "WHERE records.superseded_at IS NULL ORDER BY records.id LIMIT 1"
                )
            ).scalars()
            change = text("UPDATE texts SET body = :body WHERE id = :id")
            connection.execute(change, {"body": foreign, "id": text_id})
        material = gather(store)
        found = quality.evaluate(material)
        ids = [row.id for row in material.records()[0] if row.answer == foreign]
    assert before.n > 0
    assert before.value == 0
    assert (found.other_language.value or 0) * found.other_language.n == pytest.approx(len(ids))
    assert found.other_languages == {"en, reads as de": len(ids)}
    assert found.flagged["other_language"] == tuple(ids)[:20]


def test_a_bounded_sample_is_said_to_be_one(store: Store) -> None:
    some = gather(store, limit=10, seed=3)
    rows, seen = some.records()
    assert len(rows) == 10
    assert seen > 10
    assert some.records()[0] == rows
    assert gather(store, limit=10, seed=4).records()[0] != rows
    assert f"10 of {seen} records, drawn at random" in quality.evaluate(some).notes


def test_contamination_finds_what_was_planted(store: Store, tmp_path: Path) -> None:
    clean = gather(store)
    rows, _ = clean.records()
    planted = rows[0].answer or ""
    assert len(planted.split()) > 13
    file = tmp_path / "bench.jsonl"
    lines = [{"question": "an unrelated question about nothing that anyone here has ever asked or answered"}]
    lines += [{"question": "short"}, {"question": planted}]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    found = contamination.evaluate(gather(store, against=[file]))
    assert not found.clean
    [overlap] = found.files
    assert (overlap.texts, overlap.too_short) == (3, 1)
    assert (overlap.worst[0].line, overlap.worst[0].share) == (3, 1.0)
    assert rows[0].id in {o.name for o in overlap.worst if o.share == 1.0}
    twins = duplicates.evaluate(gather(store, against=[file]))
    assert twins.against["bench.jsonl"].n == len(rows)
    copied = sum(row.answer == planted for row in rows)
    assert (twins.against_answers["bench.jsonl"].value or 0) * len(rows) >= copied > 0
    assert any(pair.other == "bench.jsonl:3" and pair.similarity == 1.0 for pair in twins.pairs)
    (tmp_path / "clean.txt").write_text(
        "nothing of this is in any of the records that were made here today, or is it\n"
    )
    assert contamination.evaluate(gather(store, against=[tmp_path / "clean.txt"])).clean
    with pytest.raises(UsageError, match="files that you name"):
        contamination.evaluate(clean)


def test_compare_pairs_seed_by_seed(copied: str, known: Any) -> None:

    from solon import Project

    config = {**known.config, "routing": {"policy": "never", "audit_share": 0.0}}
    with Project(copied, config=config) as project:
        other = project.run("preference", known.rows[:40], new_run=True).run_id
        found = compare.evaluate(gather(project.store, [known.run_id, other]))
        assert (found.n, found.only_a, found.only_b) == (40, 40, 0)
        same = found.same_route
        assert same.value is not None
        exact = rate(round(same.value * same.n), same.n)
        assert (same.n, same.low, same.high) == (exact.n, exact.low, exact.high)
        by_name = {d.name: d for d in found.differences}
        asked = by_name["share that people were asked about"]
        assert asked.b == 0.0
        assert (asked.difference.value or 0) < 0
        assert asked.verdict == "lower in B"
        assert by_name["agreement in blind audits"].verdict == "cannot tell"
        assert "asked about is lower in B" in found.verdict
        assert "cannot be told" in found.verdict
        for names in ([known.run_id], [known.run_id, known.run_id]):
            with pytest.raises(UsageError, match="two different runs"):
                compare.evaluate(gather(project.store, names))


@pytest.mark.parametrize("choice", ["both_bad", "edit"])
def test_an_audit_that_rejects_or_edits_the_record_is_no_agreement(
    copied: str, known: Any, choice: str
) -> None:
    def agreed() -> list[float | str]:
        run = gather(store).runs[0]
        with store.connect() as connection:
            facts = compare._facts(connection, run)
        return [fact["audit"] for fact in facts.values() if "audit" in fact]

    with Store(copied) as store:
        assert sum(map(float, agreed())) == known.audits_agreed
        with store.transaction() as connection:
            audits = "(SELECT id FROM reviews WHERE kind = 'audit')"
            change = text(f"UPDATE decisions SET choice = :choice WHERE review_id IN {audits}")
            assert connection.execute(change, {"choice": choice}).rowcount == known.audits
        assert agreed() == [0.0] * known.audits


def test_every_suite_runs_from_the_command_line(solon: Cli, known: Any, tmp_path: Path) -> None:
    (tmp_path / "bench.txt").write_text(
        "what is asked in this benchmark was never asked in these records, not once\n"
    )
    for name in registry.BUILT_IN:
        if name in ("compare", "scores", "replay"):  # two runs, a model of another family, or a recording
            continue
        code, out, err = solon("eval", name, "--store", known.url, "--against", "bench.txt", "--json")
        assert code == 0, err
        result = json.loads(out.splitlines()[-1])
        assert result["suite"] == name
        # the two places of a pair mean nothing, nothing was drafted beside examples, nothing was marked or ranked
        none = ("confusions", "generations", "spans", "rankings")
        assert result["n"] > 0 or name in none
    code, out, _ = solon("eval", "audit", "--store", known.url)
    assert code == 0
    assert f"n = {known.audits})" in out


def test_mistakes_are_explained(solon: Cli, known: Any) -> None:
    code, _, err = solon("eval", "agrement", "--store", known.url)
    assert code == 2
    assert "did you mean 'agreement'?" in err
    code, _, err = solon("eval", "contamination", "--store", known.url, "--against", "missing.jsonl")
    assert code == 2
    assert "no such file" in err
    code, _, err = solon("eval", "audit", "--store", "sqlite:///none.db")
    assert code == 1
    assert "there is no store" in err


def test_packages_bring_suites_by_entry_point(monkeypatch: pytest.MonkeyPatch, material: Material) -> None:
    def plugin(given: Material) -> SuiteResult:
        return SuiteResult(suite="mine", n=len(given.runs))

    points = [SimpleNamespace(name="mine", value="mine:evaluate", load=lambda: plugin)]

    def broken() -> Any:
        raise ImportError("no module named nothing")

    points.append(SimpleNamespace(name="broken", value="gone:evaluate", load=broken))
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: points if group == registry.GROUP else []
    )
    assert registry.find_suite("mine")(material).n == 1
    assert registry.suite_names()[-2:] == ["broken", "mine"]
    with pytest.raises(UsageError, match="cannot be loaded"):
        registry.find_suite("broken")


def test_scores_of_judges_and_experts_are_compared_by_criterion(tmp_path: Path) -> None:
    """The scripted judges are fakes: what is tested is that the right scores meet."""
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "generator": {"revise": False},
        "routing": {"policy": "always"},
    }
    rows = [{"id": f"s{i}", "prompt": f"Write an exercise about topic {i}."} for i in range(4)]
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        expert = add_expert(project.store, "Ada", by="local:test")[0]
        project.run("instruction", rows)
        asked = project.reviews()
        assert asked
        with project.store.connect() as connection:
            shown = [review.candidates[0].id for review in asked]
            given = scores_on(connection, shown)
        gaps: dict[str, list[float]] = {}
        for number, candidate in enumerate(shown):
            means = {
                name: sum(one[name] for one in given[candidate]) / len(given[candidate])
                for name in given[candidate][0]
            }
            scores = {name: 1 if number else min(5, max(1, round(value))) for name, value in means.items()}
            answer = {"choice": "accept", "candidate": candidate, "scores": scores}
            decide(project.store, asked[number].id, answer, actor=expert.actor, channel="api", counts=True)
            for name, score in scores.items():
                gaps.setdefault(name, []).append(means[name] - score)
        found = agreement.evaluate(gather(project.store))
    assert set(found.by_criterion) == set(gaps)
    for name, told in found.by_criterion.items():
        assert told.gap.value == pytest.approx(sum(gaps[name]) / len(gaps[name]))
        assert told.within_one.n == len(gaps[name])
        assert told.within_one.value == sum(abs(gap) <= 1 for gap in gaps[name]) / len(gaps[name])


def test_one_run_is_named_as_it_is(copied: str, known: Any) -> None:
    from solon import Project

    with Project(copied, config=known.config) as project:
        assert project.evaluate("agreement", known.run_id) == project.evaluate("agreement", [known.run_id])
        with pytest.raises(UsageError, match="no review is ever 'wating'") as refused:
            project.reviews("wating")
        assert "states: waiting, decided, opening, held, withdrawn" in refused.value.next_step
        with pytest.raises(UsageError, match="no item is ever 'acepted'"):
            project.items("acepted")
