"""The page of Attune: what it feels and plays, and the buttons; it reads the board and puts commands, nothing else."""

from companion_web.app import create_app
from companion_web.room import Room
from companion_web.server import Server, serve

__all__ = ["Room", "Server", "create_app", "serve"]
