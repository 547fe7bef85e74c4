"""Moods, decisions and settings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "moods",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.String(16), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("utc", sa.DateTime, index=True),
        sa.Column("emotion", sa.String(16), nullable=False),
        sa.Column("second", sa.String(16)),
        sa.Column("valence", sa.Float(53), nullable=False),
        sa.Column("arousal", sa.Float(53), nullable=False),
        sa.Column("confidence", sa.Float(53), nullable=False),
        sa.Column("people", sa.Integer, nullable=False),
        sa.Column("shares", sa.JSON, nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.String(16), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("utc", sa.DateTime, index=True),
        sa.Column("emotion", sa.String(16), nullable=False),
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("valence", sa.Float(53), nullable=False),
        sa.Column("arousal", sa.Float(53), nullable=False),
        sa.Column("strategy", sa.String(16), nullable=False),
        sa.Column("volume_pct", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "settings",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
