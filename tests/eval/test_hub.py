"""A release on the hub: what is sent, what is refused, and that a dry run calls nobody. The hub is a fake with the
signatures of huggingface_hub's own class."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
import yaml

from solon.errors import SolonError, UsageError
from solon.eval.releases.hub import PUSHED, push_release
from solon.eval.releases.releases import create_release, verify_release
from solon.store.database import audit_log
from solon.store.database.store import Store

hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
TOKEN = "hf_secretsecretsecret"
NAME = "my-org/pairs"


@pytest.fixture
def mine(copied: str) -> Any:
    with Store(copied) as opened:
        yield opened


@pytest.fixture
def folder(mine: Store, tmp_path: Path) -> Path:
    create_release(mine, "one", tmp_path / "one", format="trl-preference", test_fraction=0.3)
    (tmp_path / "one" / "notes.txt").write_text("nobody's business")
    return tmp_path / "one"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hub's class, which notes its calls."""
    made = create_autospec(hub.HfApi)
    made.return_value.create_commit.return_value.oid = "c0ffee"
    monkeypatch.setattr(hub, "HfApi", made)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return made


def refusal(status: int, said: str = "") -> Exception:
    from huggingface_hub.errors import HfHubHTTPError, Response

    response = Response(status, request=None)
    response.request = response  # the error only keeps it
    return HfHubHTTPError(f"{status} {said}", response=response, server_message=said)


def test_a_dry_run_tells_all_and_calls_nobody(
    mine: Store, folder: Path, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    told = push_release(mine, folder, NAME, dry_run=True)
    assert not api.mock_calls
    assert (told.url.partition("/datasets/")[2], told.private, told.commit) == (NAME, True, "")
    sizes = {file.path: file.bytes for file in told.files}
    assert set(sizes) == {
        "README.md", "one.train.jsonl", "one.test.jsonl", "one.jsonl.manifest.json", "rows.jsonl", "lock.txt",
        "release.json",
    }  # fmt: skip
    assert all(sizes[name] == (folder / name).stat().st_size for name in sizes if name != "README.md")
    card = hub.DatasetCard(told.card)
    assert card.data.configs[0]["data_files"] == [
        {"split": "train", "path": "one.train.jsonl"},
        {"split": "test", "path": "one.test.jsonl"},
    ]


def test_the_task_of_a_harness_is_released_and_sent(mine: Store, tmp_path: Path) -> None:
    folder = tmp_path / "1.0"
    create_release(mine, "1.0", folder, format="lm-eval")
    task = yaml.safe_load((folder / "1_0.yaml").read_text("utf-8"))
    [file] = task["dataset_kwargs"]["data_files"].values()
    sent = [one.path for one in push_release(mine, folder, NAME, dry_run=True).files]
    assert {file, "1_0.yaml"} < set(sent)
    assert verify_release(mine, folder).passed
    (folder / "1_0.yaml").write_text("task: other")
    failed = [check.name for check in verify_release(mine, folder).checks if not check.passed]
    assert failed == ["file 1_0.yaml"]


def test_a_push_makes_a_private_repository_and_one_commit(
    mine: Store, folder: Path, api: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    told = push_release(mine, folder, NAME)
    api.assert_called_once_with(token=TOKEN)
    sent = api.return_value
    sent.create_repo.assert_called_once_with(repo_id=NAME, repo_type="dataset", private=True, exist_ok=False)
    operations = sent.create_commit.call_args.kwargs["operations"]
    assert [one.path_in_repo for one in operations] == [file.path for file in told.files]
    assert told.commit == "c0ffee"
    with mine.connect() as connection:
        [entry] = audit_log.list_entries(connection, subject="one", action=PUSHED, limit=2)
    assert (entry["detail"]["repository"], entry["detail"]["commit"]) == (NAME, "c0ffee")
    assert TOKEN not in "".join([*capfd.readouterr(), told.model_dump_json(), str(entry)])


def test_an_existing_public_repository_takes_only_what_is_meant_to_be_public(
    mine: Store, folder: Path, api: Any
) -> None:
    api.return_value.repo_info.return_value.private = False
    with pytest.raises(UsageError, match="is public"):
        push_release(mine, folder, NAME, existing=True)
    assert not api.return_value.create_commit.called
    push_release(mine, folder, NAME, existing=True, public=True)
    assert api.return_value.create_commit.called
    assert not api.return_value.create_repo.called


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (409, UsageError, "exists already"),
        (404, UsageError, "there is no repository"),
        (401, UsageError, "refuses the token in HF_TOKEN"),
        (500, SolonError, r"did not take one: the token \.\.\. is odd"),
    ],
)
def test_what_the_hub_refuses(
    mine: Store, folder: Path, api: Any, status: int, kind: type[SolonError], told: str
) -> None:
    api.return_value.create_repo.side_effect = refusal(status, f"the token {TOKEN} is odd")
    with pytest.raises(kind, match=told) as caught:
        push_release(mine, folder, NAME)
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_commit_that_fails_says_that_the_repository_is_there(mine: Store, folder: Path, api: Any) -> None:
    api.return_value.create_commit.side_effect = ConnectionError("cut off")
    with pytest.raises(SolonError, match="cut off") as caught:
        push_release(mine, folder, NAME)
    assert "--existing" in str(caught.value)


def test_what_is_refused_before_anybody_is_called(
    mine: Store, folder: Path, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, owners = (
        "https://huggingface.co/datasets/a/b",
        ("pairs", "a/b/c", "datasets/a", "datasets/a/b", "/b"),
    )
    for name in (url, *owners, "a/", ""):
        with pytest.raises(UsageError, match=r"(?s)not an owner and a name.*without https:// or datasets/"):
            push_release(mine, folder, name, dry_run=True)
    for name in ("my org/pairs", "-x/y", "a--b/c"):
        with pytest.raises(UsageError, match="no name of a repository"):
            push_release(mine, folder, name, dry_run=True)
    with pytest.raises(UsageError, match="name people"):
        push_release(mine, folder, NAME, privacy="personal")
    (folder / "one.jsonl.manifest.json").write_text(json.dumps({"format": "jsonl"}))
    with pytest.raises(UsageError, match="does not say what was exported"):
        push_release(mine, folder, NAME)
    create_release(mine, "two", folder.with_name("two"))
    monkeypatch.setenv("HF_TOKEN", " ")
    with pytest.raises(UsageError, match="HF_TOKEN is not set"):
        push_release(mine, folder.with_name("two"), NAME)
    assert not api.mock_calls


def test_the_command_needs_nothing_that_another_import_brought(copied: str, folder: Path) -> None:
    """In a process of its own: the package loads its modules when they are asked for."""
    words = ("release", "push", str(folder), NAME, "--dry-run", "--json", "--store", copied)
    done = subprocess.run([sys.executable, "-m", "solon", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["url"] == f"https://huggingface.co/datasets/{NAME}"


def test_the_command_refuses_what_does_not_verify(
    copied: str, mine: Store, folder: Path, solon: Callable[..., tuple[int, str, str]]
) -> None:
    asked = ("release", "push", str(folder), NAME, "--dry-run", "--store", copied)
    code, out, _ = solon(*asked)
    assert code == 0
    assert "nothing was sent" in out
    assert "to the private data set" in out
    (folder / "one.train.jsonl").write_text("")
    code, _, err = solon(*asked)
    assert code == 2
    assert "does not verify" in err
