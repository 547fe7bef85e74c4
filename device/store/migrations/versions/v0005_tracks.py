"""The catalogue: tracks of all sources, and what they are found by."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "tracks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uri", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, unique=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("artist", sa.Text, nullable=False),
        sa.Column("album", sa.Text, nullable=False),
        sa.Column("genre", sa.Text, nullable=False),
        sa.Column("moods", sa.JSON, nullable=False),
        sa.Column("duration_s", sa.Float(53), nullable=False),
        sa.Column("valence", sa.Float(53), nullable=False),
        sa.Column("arousal", sa.Float(53), nullable=False),
        sa.Column("uncertainty", sa.Float(53), nullable=False),
        sa.Column("popularity", sa.Float(53)),
        sa.Column("instrumental", sa.Boolean, nullable=False),
        sa.Column("source", sa.String(16), nullable=False, index=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("song", sa.String(16), nullable=False, index=True),
        sa.Column("stamp", sa.String(48), nullable=False),
        sa.Column("scanned", sa.String(64), nullable=False),
        sa.Column("readings", sa.JSON, nullable=False),
    )
    has_file = sa.text("stamp != ''")
    op.create_index("ix_tracks_file", "tracks", ["uri"], sqlite_where=has_file, postgresql_where=has_file)
    op.create_table(
        "track_keys",
        sa.Column("key", sa.String(96), primary_key=True),
        sa.Column("shuffle", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("track", sa.Integer, primary_key=True, autoincrement=False, index=True),
        sqlite_with_rowid=False,
    )
