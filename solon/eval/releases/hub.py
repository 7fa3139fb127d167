"""A release on the Hugging Face Hub: a repository of a data set with the release's own files and a card, and no others.

A dry run says what would be sent and sends nothing. Source: huggingface_hub, `HfApi.create_repo` and `create_commit`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.display.text import shorten
from solon.errors import SolonError, UsageError
from solon.eval.releases.releases import CARD, LOCK, MANIFEST, ROWS, hash_file, read_manifest
from solon.eval.releases.signatures import SIGNATURES
from solon.formats.card import write_card
from solon.formats.exports import ExportFile, ExportSummary, find_format
from solon.reading import parse_json, read_text
from solon.store.database import audit_log
from solon.store.runs.runs import config_payload, find_run

if TYPE_CHECKING:
    from solon.store.database.store import Store

TOKEN_VARIABLE = "HF_TOKEN"
PUSHED = "release.pushed"
_EXISTS, _UNKNOWN = 409, 404
_REFUSED = (401, 403)
_KINDS = ("datasets", "models", "spaces")
"""What stands before the owner in addresses of the hub; no owner has such a name."""


class PushedFile(BaseModel):
    """A file of a release, as it is sent.

    Attributes:
        path: in the repository.
        bytes: its size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    bytes: int


class Push(BaseModel):
    """What was sent to the hub, or would be.

    Attributes:
        release: its name.
        repository: `OWNER/NAME`.
        url: where it is read.
        private: only its owner and whom they let in read it.
        files: what is sent, the card first.
        card: text of the card.
        commit: id of the commit; empty of a dry run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    release: str
    repository: str
    url: str
    private: bool
    files: tuple[PushedFile, ...]
    card: str
    commit: str = ""


def push_release(
    store: Store,
    folder: Path,
    repository: str,
    *,
    public: bool = False,
    existing: bool = False,
    dry_run: bool = False,
    privacy: str = "",
    actor: str = "system",
) -> Push:
    """Send the files of a release to a repository of the hub, with the token in HF_TOKEN, and note it in the log.

    Args:
        folder: of the release, which the caller has verified.
        repository: `OWNER/NAME`.
        public: everyone may read it; otherwise the new repository is private.
        existing: add to a repository that is there, in place of making one; a public one only with `public`.
        dry_run: only say what would be sent: needs no token, and calls nobody.
        privacy: the privacy class of the configuration, beside those of the runs.
        actor: who sends it, for the store's log.

    Raises:
        UsageError: no name of a repository, no token, it exists (or does not), or texts name people.
        SolonError: the hub refused, or was not reached.
    """
    import huggingface_hub as hub
    from huggingface_hub.constants import ENDPOINT  # the package does not load this module by itself

    check_repository(repository)
    manifest = read_manifest(folder)
    _check_privacy(store, manifest, privacy)
    card = _card(folder, manifest)
    contents: dict[str, bytes | Path] = {CARD: card.encode()}
    contents |= {name: folder / name for name in _names(folder, manifest) if name != CARD}
    push = Push(
        release=str(manifest["name"]),
        repository=repository,
        url=f"{ENDPOINT}/datasets/{repository}",
        private=not public,
        files=tuple(
            PushedFile(path=name, bytes=len(held) if isinstance(held, bytes) else held.stat().st_size)
            for name, held in contents.items()
        ),
        card=card,
    )
    if dry_run:
        return push
    commit = _send(hub, push, contents, existing=existing)
    with store.transaction() as connection:
        detail = {"repository": repository, "commit": commit, "sha256": hash_file(folder / MANIFEST)}
        audit_log.append(store, connection, actor, PUSHED, push.release, detail)
    return push.model_copy(update={"commit": commit})


def check_repository(repository: str) -> None:
    """Check the name of a repository.

    Raises:
        UsageError: it is none of the hub's, `OWNER/NAME`.
        ModuleNotFoundError: the extra `hub` is not installed.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    owner, _, name = repository.partition("/")
    try:
        if not (owner and name) or "/" in name or owner in _KINDS:
            raise HFValidationError("it has not an owner and a name, with one '/' between them")
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UsageError(
            f"{shorten(repository, 60)!r} is no name of a repository: {shorten(error, 200)}",
            next_step="name it OWNER/NAME, without https:// or datasets/",
        ) from None


def _check_privacy(store: Store, manifest: dict[str, Any], privacy: str) -> None:
    with store.connect() as connection:
        began = [find_run(connection, run).config_id for run in manifest["export"]["runs"]]
        classes = [config_payload(connection, one).get("privacy", {}).get("class") for one in began]
    if "personal" in (privacy, *classes):
        raise UsageError(
            'texts of this release name people ([privacy] class = "personal"), and the hub is somebody else\'s machine',
            next_step="hand the folder to those who may have it",
        )


def _names(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """Names of the release's own files; whatever else lies in the folder is not sent."""
    signed = [SIGNATURES] if (folder / SIGNATURES).is_file() else []
    files = [file["path"] for file in (*manifest["export"]["files"], *manifest.get("beside", ()))]
    return [CARD, *files, ROWS, LOCK, MANIFEST, *signed]


def _card(folder: Path, manifest: dict[str, Any]) -> str:
    """The card that was released with a promise, or one of what the export counted."""
    restore = "restore the release"
    if "card" in manifest:
        return read_text(folder / CARD, next_step=restore)
    [path] = [*folder.glob("*.manifest.json")] or [folder / "manifest.json"]
    try:
        counted = parse_json(read_text(path, next_step=restore))
        summary = ExportSummary(
            format=counted["format"],
            files=tuple(ExportFile(**file) for file in manifest["export"]["files"]),
            manifest=path.name,
            facts=counted["facts"],
            **{name: counted[name] for name in ("read", "written", "withheld", "left_out", "runs")},
        )
        return write_card(summary, find_format(summary.format), name=str(manifest["name"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} does not say what was exported: {error}", next_step=restore) from None


def _send(hub: Any, push: Push, contents: dict[str, bytes | Path], *, existing: bool) -> str:
    """Make the repository, or find it, and return the id of the one commit that holds all files."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise UsageError(
            f"there is no token of the hub: {TOKEN_VARIABLE} is not set",
            next_step=f"make one that may write, and export it as {TOKEN_VARIABLE}; --dry-run needs none",
        )
    api, kind = hub.HfApi(token=token), {"repo_id": push.repository, "repo_type": "dataset"}
    with _told(push, token):
        if not existing:
            api.create_repo(**kind, private=push.private, exist_ok=False)
        elif not api.repo_info(**kind).private and push.private:
            raise UsageError(
                f"{push.repository} is public: everyone could read what is sent",
                next_step="say --public where that is meant, or name a private repository",
            )
    with _told(push, token, step="the repository is there; the same command with --existing goes on"):
        operations = [
            hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=held) for name, held in contents.items()
        ]
        done = api.create_commit(**kind, operations=operations, commit_message=f"Release {push.release}")
    return str(done.oid)


@contextmanager
def _told(push: Push, token: str, step: str = "try again later") -> Iterator[None]:
    """Tell what the hub or the network says as our own errors, without the token."""
    from huggingface_hub import errors

    try:
        yield
        return
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        said = shorten(getattr(error, "server_message", None) or error, 300).replace(token, "...")
    if status == _EXISTS:
        raise UsageError(
            f"the repository {push.repository} exists already",
            next_step="name another one, or add the release to it with --existing",
        )
    if status == _UNKNOWN:
        raise UsageError(
            f"there is no repository {push.repository}, or the token may not see it",
            next_step="leave --existing out to make it",
        )
    if status in _REFUSED:
        raise UsageError(
            f"the hub refuses the token in {TOKEN_VARIABLE} for {push.repository} ({status}: {said})",
            next_step="give one that may write to repositories of that owner",
        )
    raise SolonError(f"the hub did not take {push.release}: {said}", next_step=step)
