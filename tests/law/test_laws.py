"""Versions in the store: what is in force, what a run is pinned to, and that a version never changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from solon import Project
from solon.errors import UsageError
from solon.law.documents import dump_yaml, load_constitution, parse_constitution
from solon.lawmaking.drafting import import_law
from solon.store.database.store import Store
from solon.store.runs.laws import find_version, history, version_in_force

MODELS = {"models": {"default": {"model": "scripted:default"}}}


def pins(store: Store) -> list[str]:
    with store.connect() as connection:
        query = (
            "SELECT DISTINCT constitutions.version FROM items JOIN constitutions "
            "ON constitutions.id = items.constitution_id JOIN runs ON runs.id = items.run_id "
            "WHERE runs.created_at = (SELECT max(created_at) FROM runs)"
        )
        return [row[0] for row in connection.execute(text(query))]


def test_the_version_in_force_goes_before_the_starter(tmp_path: Path) -> None:
    with Project(f"sqlite:///{tmp_path}/s.db", config=MODELS) as project:
        project.run("preference", ["One question?"])
        assert pins(project.store) == ["1.0.0"]
        own = load_constitution("general").model_copy(update={"reason": ""})
        changed = own.model_copy(update={"principles": own.principles[1:]})
        with pytest.raises(UsageError, match=r"1\.0\.0 is in force"):
            import_law(project.store, changed, by="me")
        made = import_law(project.store, changed, by="me", replace_in_force=True, reason="we never needed it")
        assert made.version == "2.0.0"
        project.run("preference", ["One question?"], new_run=True)
        assert pins(project.store) == ["2.0.0"]
        with project.store.connect() as connection:
            states = {v.version: v.status for v in history(connection, "constitution", "general")}
            old = find_version(connection, "constitution", "general@1.0.0")
        assert states == {"1.0.0": "superseded", "2.0.0": "in_force"}
        assert old is not None
        assert old.document == load_constitution("general")
        assert parse_constitution(dump_yaml(made.document)) == made.document


def test_editing_the_file_does_not_change_the_law(tmp_path: Path) -> None:
    file = tmp_path / "clinic.yaml"
    medical = dump_yaml(load_constitution("medical")).replace("name: medical", "name: clinic")
    file.write_text(medical)
    config = {**MODELS, "law": {"constitution": str(file)}}
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        project.run("preference", ["One question?"])
        file.write_text(medical.replace("priority: 2", "priority: 9"))
        with pytest.raises(UsageError, match=r"differs from every version of constitution 'clinic'"):
            project.run("preference", ["Another question?"])


def test_a_constitution_of_a_recipe_goes_before_the_global_one(tmp_path: Path) -> None:
    with Project(f"sqlite:///{tmp_path}/s.db", config=MODELS) as project:
        project.run("preference", ["One question?"])
        scoped = dump_yaml(load_constitution("general")) + "scope: {recipe: preference}\n"
        import_law(project.store, parse_constitution(scoped), by="me")
        with project.store.connect() as connection:
            ours = version_in_force(connection, "constitution", "general", recipe="preference")
            theirs = version_in_force(connection, "constitution", "general", recipe="instruction")
        assert ours is not None
        assert theirs is not None
        assert (ours.scope, theirs.scope) == ("recipe:preference", "global")


def test_the_database_holds_one_version_in_force(tmp_path: Path) -> None:
    with Project(f"sqlite:///{tmp_path}/s.db", config=MODELS) as project:
        import_law(project.store, load_constitution("legal"), by="me")
        copy = (
            "INSERT INTO constitutions (id, name, version, scope, status, author, reason, created_at) "
            "SELECT 'x', name, '9.0.0', scope, status, author, reason, created_at FROM constitutions"
        )
        with (
            pytest.raises((IntegrityError, Exception), match=r"(?i)unique"),
            project.store.transaction() as connection,
        ):
            connection.execute(text(copy))


def test_an_older_store_keeps_all_its_versions_and_the_newest_in_force(store_url: str) -> None:
    from solon.store.database.engine import make_engine
    from solon.store.migrations import upgrade

    engine = make_engine(store_url)
    upgrade(engine, "0003")
    with engine.connect().execution_options(solon_write=True) as connection, connection.begin():
        for number, version in enumerate(("1.0.0", "1.0.1", "1.0.2")):
            document = load_constitution("general").model_copy(update={"version": version})
            row = "INSERT INTO constitutions (id, name, version, scope, status, document, author, reason, created_at)"
            values = {
                "id": f"v{number}",
                "version": version,
                "at": float(number),
                "doc": document.model_dump_json(),
            }
            connection.execute(
                text(f"{row} VALUES (:id, 'general', :version, 'global', 'in_force', :doc, '', '', :at)"),
                values,
            )
    engine.dispose()
    with Store(store_url, create=True) as store, store.connect() as connection:
        found = {v.version: v.status for v in history(connection, "constitution", "general")}
    assert found == {"1.0.0": "superseded", "1.0.1": "superseded", "1.0.2": "in_force"}


def test_a_starter_comes_into_force_on_either_database(store_url: str) -> None:
    with Store(store_url, create=True) as store:
        first = import_law(store, load_constitution("legal"), by="me")
        draft = first.document.model_copy(update={"principles": first.document.principles[1:]})  # type: ignore[union-attr]
        second = import_law(store, draft, by="me", replace_in_force=True, reason="less")
        with store.connect() as connection:
            known = [v.id for v in history(connection, "constitution")]
    assert known == [first.id, second.id]
