"""What played, for the history of a room."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "plays",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.String(16), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("utc", sa.DateTime, index=True),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("artist", sa.Text, nullable=False),
        sa.Column("genre", sa.Text, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("valence", sa.Float(53), nullable=False),
        sa.Column("arousal", sa.Float(53), nullable=False),
        sa.Column("heard_s", sa.Float(53), nullable=False),
        sa.Column("emotion", sa.String(16), nullable=False),
        sa.Column("strategy", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("chosen_by", sa.String(16), nullable=False),
    )
