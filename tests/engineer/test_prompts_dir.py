"""Templates of one's own: laid over the built-in ones by name, checked before anything is asked, pinned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon.errors import ConfigError, UsageError
from solon.prompts.library import PromptLibrary
from solon.store.tables import table_of

SEEDS = [{"id": "s", "prompt": "Say what a heron is"}]


def overlay(folder: Path, name: str = "judge.pair", **changes: str) -> Path:
    """A copy of a built-in template with parts replaced."""
    place = folder / "my-prompts"
    place.mkdir(exist_ok=True)
    source = PromptLibrary()[name].source
    for old, new in changes.items():
        old = old.replace("_", " ")
        assert old in source, old
        source = source.replace(old, new)
    (place / f"{name}.md").write_text(source)
    return place


def test_a_run_asks_with_ones_own_template_and_is_pinned_to_it(open_project: Any, folder: Path) -> None:
    place = overlay(folder, "generator.draft")
    path = place / "generator.draft.md"
    path.write_text(path.read_text().replace("# user", "# user\nThink of herons first."))
    project = open_project(prompts_dir=str(place))
    run = project.run("preference", SEEDS)
    asked = [call for call in _calls(project) if call["template"].startswith("generator.draft")]
    assert asked
    assert all("Think of herons first." in call["prompt"] for call in asked)
    # the same without them is another run, and the first one stays as it was
    plain = open_project()
    with pytest.raises(UsageError, match="prompts were others"):
        plain.run("preference", SEEDS)
    assert plain.resume(run.run_id).model_calls == run.model_calls


def _calls(project: Any) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from solon.store.tables.runs import Call, Text

    calls, texts = table_of(Call), table_of(Text)
    query = select(calls.c.template, texts.c.body.label("prompt")).join(
        texts, texts.c.id == calls.c.prompt_id
    )
    with project.store.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def test_what_no_agent_could_use_is_refused_before_the_first_call(open_project: Any, folder: Path) -> None:
    for change, told in (
        ({"name:_judge.pair": "name: judge.pears"}, "did you mean 'judge.pair'"),
        ({"first": "erste"}, "variables differ"),
        ({"output:_": "output: x"}, "output"),
    ):
        place = overlay(folder, **change)
        project = open_project(prompts_dir=str(place))
        with pytest.raises(ConfigError) as refused:
            project.run("preference", SEEDS)
        assert told in str(refused.value)
        assert not _calls(project)
    broken = overlay(folder)
    (broken / "judge.pair.md").write_text(PromptLibrary()["judge.pair"].source + "\n{{ nobody }}")
    with pytest.raises(ConfigError, match="nobody"):
        PromptLibrary(broken)
    with pytest.raises(ConfigError, match="no folder"):
        PromptLibrary(folder / "nowhere")


FENCED = '{{ prompt | fence("request", mark) }}'


@pytest.mark.parametrize(
    "bare",
    [
        "{{ prompt }}",
        "{{ prompt | upper }}",
        "{{ 'Asked: ' ~ prompt }}",
        "{% set asked = prompt %}{{ asked }}",
        "{% for line in prompt.splitlines() %}{{ line }}{% endfor %}",
        "{% if input %}{{ prompt }}{% endif %}",
        "{{ prompt if input else '' }}",
        FENCED + "{{ prompt }}",
    ],
)
def test_a_text_of_others_without_a_fence_is_refused(command: Any, folder: Path, bare: str) -> None:
    place = folder / "bare"
    place.mkdir()
    source = PromptLibrary()["judge.pair"].source
    (place / "judge.pair.md").write_text(source.replace(FENCED, bare))
    code, _, err = command("prompts", "check", "--folder", "bare")
    assert code == 2
    assert "`prompt` stands without `fence`" in err
    assert '{{ prompt | fence("label", mark) }}' in err


@pytest.mark.parametrize(
    "good",
    [
        '{{ prompt | fence("the request", mark) }}',
        '{{ prompt | trim | fence("request", mark) }}',
        '{{ prompt | fence("request", mark) if prompt else "Nothing was asked." }}',
        '{% set asked = prompt | fence("request", mark) %}{{ asked }}',
        "{% if prompt %}Something was asked.{% endif %}",
    ],
)
def test_what_stands_behind_a_fence_or_is_only_asked_about_is_taken(folder: Path, good: str) -> None:
    place = folder / "good"
    place.mkdir()
    source = PromptLibrary()["judge.pair"].source
    (place / "judge.pair.md").write_text(source.replace(FENCED, good))
    assert PromptLibrary(place).overlaid.keys() == {"judge.pair"}


def test_command_line_copies_checks_and_shows_the_difference(command: Any, folder: Path) -> None:
    with (folder / "solon.toml").open("a") as stream:
        stream.write('\n[privacy]\nclass = "synthetic"\n')
    code, out, err = command("prompts", "copy", "judge.pair", "critic.critique", "--folder", "mine")
    assert code == 0, err
    assert sorted(path.name for path in (folder / "mine").iterdir()) == [
        "critic.critique.md",
        "judge.pair.md",
    ]
    assert command("prompts", "copy", "judge.pair", "--folder", "mine")[0] == 2
    assert command("prompts", "copy", "judge.pears", "--folder", "mine")[0] == 2
    path = folder / "mine" / "judge.pair.md"
    path.write_text(path.read_text().replace("Which answer is better", "Which one is better"))
    toml = folder / "solon.toml"
    toml.write_text('prompts_dir = "mine"\n' + toml.read_text())
    code, out, err = command("prompts", "check")
    assert code == 0, err
    assert "-Which answer is better" in out
    assert "+Which one is better" in out
    assert "2 of them your own" in out
    code, out, _ = command("prompts", "check", "--json")
    told = json.loads(out.splitlines()[-1])
    assert (told["own"]["critic.critique"], "better" in told["own"]["judge.pair"]) == ("", True)
    assert "Which one is better" in command("prompts", "show", "judge.pair")[1]
