"""How databases of every age become the newest, and that the SQL is good for PostgreSQL too."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from device.signals import Mood
from device.store.database import LATEST, MIGRATIONS, Database, settings_in, upgrade
from device.store.errors import StoreError
from device.store.tables import METADATA, MOODS

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)


def script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def test_the_newest_step_is_the_one_that_the_code_expects() -> None:
    assert script().get_heads() == [LATEST]


def test_the_steps_lead_to_the_tables_of_the_code(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        upgrade(connection, "head")
        # the index of words is SQLite's alone, and makes its own tables
        own = {"include_name": lambda name, kind, names: kind != "table" or not name.startswith("track_words")}
        differences = compare_metadata(MigrationContext.configure(connection, opts=own), METADATA)
    engine.dispose()
    assert differences == []


@pytest.mark.parametrize("revision", [step.revision for step in script().walk_revisions()])
def test_a_database_of_any_age_is_upgraded_and_keeps_its_rows(tmp_path: Path, revision: str) -> None:
    address = f"sqlite:///{tmp_path}/a.db"
    engine = create_engine(address)
    with engine.begin() as connection:
        upgrade(connection, revision)
        connection.execute(text("INSERT INTO settings VALUES ('camera', 'off')"))
        row = {"run": "old", "at": 1.0, "emotion": "happy", "valence": 0, "arousal": 0, "confidence": 0, "people": 1}
        connection.execute(insert(MOODS), [row | {"shares": [], "scores": []}])
    engine.dispose()
    database = Database(address)
    assert database.settings() == {"camera": "off"}
    assert [mood.emotion for mood in database.moods(None, 10)] == ["happy"]
    database.begin("old")
    database.end_others("new", NOW)
    assert database.purge(datetime(2027, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)) == 1
    database.close()


def test_a_strategy_of_its_former_name_is_known_by_its_new_one(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        upgrade(connection, "0003")
        connection.execute(text("INSERT INTO settings VALUES ('strategy', 'soothe'), ('sense', 'soothe')"))
    engine.dispose()
    database = Database(f"sqlite:///{tmp_path}/a.db")
    assert database.settings() == {"strategy": "calm", "sense": "soothe"}
    database.close()


def test_a_database_of_a_newer_attune_is_left_alone(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/a.db"
    Database(address).close()
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="written by a newer Attune; update"):
        Database(address)


def test_upgrading_says_nothing_at_info(tmp_path: Path) -> None:
    """In a fresh process, as it is the first import that talks."""
    program = (
        "import logging, sys; logging.basicConfig(level=logging.INFO);"
        "from device.store.database import Database; Database(sys.argv[1]).close()"
    )
    command = [sys.executable, "-c", program, f"sqlite:///{tmp_path}/a.db"]
    done = subprocess.run(command, capture_output=True, check=True, cwd=MIGRATIONS.parents[2], timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_path_with_odd_signs(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20ü#"
    database = Database(f"sqlite:///{quote(str(folder))}/a.db")
    database.keep("run", [Mood(1.0, "happy")], {"camera": "off"})
    database.close()
    assert settings_in(folder / "a.db") == {"camera": "off"}


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    broken = Mood(1.0, None)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="NOT NULL"):
        database.keep("run", [Mood(1.0, "happy"), broken], {"camera": "off"})
    assert database.moods(None, 10) == []
    assert database.settings() == {}
    database.close()


@pytest.mark.parametrize("table", METADATA.sorted_tables, ids=lambda table: table.name)
def test_postgresql_would_take_the_tables(table: object) -> None:
    """Only compiled: no PostgreSQL server runs here."""
    assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[arg-type]


def test_what_another_program_closes_stays_open_here(tmp_path: Path) -> None:
    """Of two connections in one process, the opening of the second must not cost the first its locks on the file."""
    address = f"sqlite:///{tmp_path}/a.db"
    first, second = Database(address), Database(address)
    code = f"from device.store.database import Database; print(Database({address!r}).settings())"

    def another_program() -> str:
        return subprocess.run(
            [sys.executable, "-c", code], check=True, timeout=60, stdout=subprocess.PIPE
        ).stdout.decode()

    assert another_program() == "{}\n"
    first.keep("run", [], {"camera": "off"})
    assert another_program() == "{'camera': 'off'}\n"
    second.close()
    first.close()
