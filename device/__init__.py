"""Attune's daemon: senses, moods and music of one room."""

__version__ = "0.1.0"
