"""What can be wrong with a database, and what to do about it."""

from __future__ import annotations

from device.signals import AttuneError


class StoreError(AttuneError):
    """Nothing can be read or kept now."""


class DamagedError(StoreError):
    """The file is no database any more."""


def explain(error: BaseException, where: str) -> StoreError:
    """The named error, with its remedy, of what a database driver or the file system said."""
    text = " ".join(str(getattr(error, "orig", None) or error).split())
    said = text.lower()
    if "not a database" in said or "malformed" in said:
        return DamagedError(f"{where} is damaged ({text})")
    if "full" in said or "no space" in said:
        return StoreError(f"{where}: the disk is full; free some space")
    if "readonly" in said or "read-only" in said or "unable to open" in said or "permission" in said:
        return StoreError(f"{where} cannot be written ({text}); make the folder writable, or set state or [store] url")
    if "locked" in said:
        return StoreError(f"{where} is in use by another program; is another Attune running?")
    if "locate revision" in said:
        return StoreError(f"{where} was written by a newer Attune; update Attune, or move the file away")
    return StoreError(f"{where}: {text}; check the disk and [store] url")
