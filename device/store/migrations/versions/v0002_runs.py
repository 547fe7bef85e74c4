"""When a run without a clock had ended at the latest, so that its rows can be erased in time too."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("run", sa.String(16), primary_key=True),
        sa.Column("ended_before", sa.DateTime),
    )
    op.execute("INSERT INTO runs (run) SELECT run FROM moods UNION SELECT run FROM decisions")
