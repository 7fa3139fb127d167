"""Templates of a project: copied, changed, used by the next run, fixed for the run that began with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from solon.errors import ConfigError, UsageError
from solon.project import Project

Open = Callable[..., Project]
Command = Callable[..., tuple[int, str, str]]


def change(folder: Path) -> None:
    template = folder / "prompts" / "judge.pair.md"
    text = template.read_text()
    template.write_text(
        text.replace('version: "1"', 'version: "mine"').replace("You judge", "As asked, you judge")
    )


def test_copy_change_check(command: Command, folder: Path) -> None:
    code, out, err = command("prompts", "copy", "judge.pair", "--folder", "prompts")
    assert (code, out.strip()) == (0, "prompts/judge.pair.md")
    assert "prompts_dir" in err
    change(folder)
    toml = (folder / "solon.toml").read_text()
    (folder / "solon.toml").write_text('prompts_dir = "prompts"\n' + toml)
    assert "mine" in command("prompts", "list")[1]
    assert "As asked, you judge" in command("prompts", "show", "judge.pair")[1]
    assert command("prompts", "check")[0] == 0


def test_copy_leaves_alone_what_is_there(command: Command, folder: Path) -> None:
    command("prompts", "copy", "judge.pair", "--folder", "prompts")
    change(folder)
    code, _, err = command("prompts", "copy", "judge.pair", "--folder", "prompts")
    assert code == 2
    assert "is there already" in err
    assert "As asked" in (folder / "prompts" / "judge.pair.md").read_text()
    assert command("prompts", "copy", "no.such", "--folder", "prompts")[0] == 2
    assert command("prompts", "copy", "judge.pair")[0] == 2


def test_a_run_is_asked_with_the_projects_templates(
    open_project: Open, command: Command, folder: Path
) -> None:
    project = open_project()
    first = project.run("preference", ["One?"])
    command("prompts", "copy", "judge.pair", "--folder", "prompts")
    # The same template in another place is the same template.
    assert open_project(prompts_dir="prompts").run("preference", ["One?"]).run_id == first.run_id
    change(folder)
    mine = open_project(prompts_dir="prompts")
    with pytest.raises(UsageError, match="prompts were others"):
        mine.run("preference", ["One?"])
    second = mine.run("preference", ["One?"], new_run=True, reuse=first.run_id)
    calls = mine.item(mine.items(run_id=second.run_id)[0].id).way["calls"]  # type: ignore[index]
    # Drafts and critiques are taken over: the calls made are the judges'.
    assert {call["template"] for call in calls} == {"judge.pair@mine"}


def test_a_run_keeps_its_templates(open_project: Open, command: Command, folder: Path) -> None:
    command("prompts", "copy", "judge.pair", "--folder", "prompts")
    project = open_project(prompts_dir="prompts", limits={"calls": 4})
    assert project.run("preference", ["One?"]).queued == 1
    (folder / "prompts" / "judge.pair.md").unlink()
    (folder / "prompts").rmdir()
    assert open_project(prompts_dir="prompts").resume().queued == 0


def test_a_missing_folder_is_named(open_project: Open) -> None:
    with pytest.raises(ConfigError, match="there is no folder elsewhere"):
        open_project(prompts_dir="elsewhere").run("preference", ["One?"])
