"""How listeners took what played, from which their taste is learnt."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "reactions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.String(16), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("utc", sa.DateTime, index=True),
        sa.Column("who", sa.String(64), nullable=False, index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("emotion", sa.String(16), nullable=False),
        sa.Column("strategy", sa.String(16), nullable=False),
        sa.Column("modality", sa.String(16)),
        sa.Column("recent", sa.String(16), nullable=False),
        sa.Column("local", sa.String(40)),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("artist", sa.Text, nullable=False),
        sa.Column("genre", sa.Text, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("valence", sa.Float(53), nullable=False),
        sa.Column("arousal", sa.Float(53), nullable=False),
        sa.Column("uncertainty", sa.Float(53), nullable=False),
        sa.Column("instrumental", sa.Boolean, nullable=False),
    )
    op.execute("UPDATE settings SET value = 'calm' WHERE key = 'strategy' AND value = 'soothe'")
