"""What is kept: moods, decisions and settings; never a picture, a sound or a word."""

from device.store.errors import StoreError
from device.store.store import Store

__all__ = ["Store", "StoreError"]
