"""The words of tracks as an index (FTS5), where SQLite has it: lists of a million tracks are searched by it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_MOODS = "(SELECT group_concat(value, ' ') FROM json_each(new.moods))"
_NEW = f"new.id, new.title, new.artist, new.album, new.genre, {_MOODS}, new.source"
_OLD = _NEW.replace("new.", "old.")
_FIELDS = "rowid, title, artist, album, genre, moods, source"
_CHANGED = " OR ".join(f"new.{name} IS NOT old.{name}" for name in _FIELDS.split(", ")[1:])
_ADD = f"INSERT INTO track_words ({_FIELDS}) VALUES ({_NEW});"
_DROP = f"INSERT INTO track_words (track_words, {_FIELDS}) VALUES ('delete', {_OLD});"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    if not connection.execute(sa.text("SELECT sqlite_compileoption_used('ENABLE_FTS5')")).scalar():
        return
    for statement in (
        # without content of its own: a million tracks have an index of some 60 MB
        "CREATE VIRTUAL TABLE track_words USING fts5(title, artist, album, genre, moods, source, content='',"
        " tokenize='unicode61 remove_diacritics 2')",
        f"INSERT INTO track_words ({_FIELDS}) SELECT {_NEW.replace('new.', 't.')} FROM tracks AS t",
        f"CREATE TRIGGER track_words_add AFTER INSERT ON tracks BEGIN {_ADD} END",
        f"CREATE TRIGGER track_words_drop AFTER DELETE ON tracks BEGIN {_DROP} END",
        f"CREATE TRIGGER track_words_change AFTER UPDATE ON tracks WHEN {_CHANGED} BEGIN {_DROP} {_ADD} END",
    ):
        connection.exec_driver_sql(statement)
