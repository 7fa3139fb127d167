"""Who signed for a release: name, date, the sentence, and what it does not say. Each signature is sealed in the log."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.display.text import moment
from solon.errors import UsageError
from solon.eval.releases.releases import MANIFEST, Check, explained, hash_file, read_manifest
from solon.formats.containers import write_text_at_once
from solon.reading import parse_json, read_text
from solon.store.database import audit_log, clock
from solon.store.records.release_sets import SIGNED

if TYPE_CHECKING:
    from solon.store.database.store import Store
    from solon.store.reviewing.experts import ExpertRow

SIGNATURES = "signatures.json"
_MOST = 10_000


def sign_release(store: Store, folder: Path, expert: ExpertRow | None) -> dict[str, Any]:
    """Sign for the promise of a release, and return the signature.

    The log holds its hash, the signer's id and the hash of the manifest; the name stands in the folder alone. Signing
    again changes nothing.

    Args:
        expert: who signs, by their token; None where none was given.

    Raises:
        UsageError: it is no lead, or the release promises nothing.
    """
    manifest = read_manifest(folder)
    section = manifest.get("promise")
    if expert is None or not expert.may("lead"):
        raise UsageError(
            "a release is signed by a lead" + ("" if expert is None else f"; your role is {expert.role}"),
            next_step="set SOLON_TOKEN to the token of a lead",
        )
    if section is None:
        raise UsageError(
            f"the release {manifest['name']!r} promises nothing that could be signed",
            next_step="make it with `solon release create NAME --promise .95`",
        )
    signed = read_signatures(folder)
    digest = hash_file(folder / MANIFEST)
    for one in signed:
        if one["expert"] == expert.id and one["release_sha256"] == digest:
            return one
    signature = {
        "release": manifest["name"],
        "release_sha256": digest,
        "expert": expert.id,
        "name": expert.name,
        "role": expert.role,
        "at": moment(clock.now()),
        "sentence": section["sentence"],
        "does_not_say": section["does_not_say"],
    }
    with explained(folder), store.transaction() as connection:
        detail = {"signature": _digest(signature), "sha256": digest}
        audit_log.append(store, connection, expert.actor, SIGNED, str(manifest["name"]), detail)
        text = json.dumps([*signed, signature], ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        write_text_at_once(folder / SIGNATURES, [text])
    return signature


def read_signatures(folder: Path) -> list[dict[str, Any]]:
    """The signatures in the folder of a release, the first one first.

    Raises:
        UsageError: the file is none of ours.
    """
    path = folder / SIGNATURES
    if not path.is_file():
        return []
    restore = "restore the file, or the release"
    try:
        found = parse_json(read_text(path, next_step=restore))
    except ValueError as error:
        raise UsageError(f"{path}, {error}", next_step=restore) from None
    needed = ("expert", "release_sha256", "name", "at", "sentence")
    if not isinstance(found, list) or not all(
        isinstance(one, dict) and all(isinstance(one.get(name), str) for name in needed) for one in found
    ):
        raise UsageError(f"{path} holds no list of signatures", next_step=restore)
    return found


def check_signatures(store: Store, folder: Path) -> list[Check]:
    """One check for each signature: it stands in the log as it stands here, and the release is what was signed.

    A signature that the log knows and the folder lacks is a failure, too.
    """
    name = str(read_manifest(folder)["name"])
    with store.connect() as connection:
        entries = audit_log.list_entries(connection, subject=name, action=SIGNED, limit=_MOST)
    sealed = {entry["detail"]["signature"]: entry for entry in entries}
    now, checks = hash_file(folder / MANIFEST), []
    for one in read_signatures(folder):
        entry = sealed.pop(_digest(one), None)
        what = f"signed by {one['name']}, {one['at']}: {one['sentence']}"
        if entry is None or entry["actor"] != f"expert:{one['expert']}":
            checks.append(Check(name="signature", passed=False, told=f"not as it was signed: {what}"))
        elif one["release_sha256"] != now:
            checks.append(
                Check(name="signature", passed=False, told=f"the release was changed since it was {what}")
            )
        else:
            checks.append(Check(name="signature", passed=True, told=what))
    for entry in sealed.values():
        told = f"{SIGNATURES} lacks the one of {moment(entry['at'])}"
        checks.append(Check(name="signature", passed=False, told=told))
    return checks


def _digest(signature: dict[str, Any]) -> str:
    text = json.dumps(signature, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
