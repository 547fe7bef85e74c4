"""Keeps passwords as argon2id hashes: one at a time, as each takes the memory that a small box has once."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from device.signals import AttuneError

Answer = TypeVar("Answer")

MEMORY_KIB: Final = 19 * 1024
"""With two passes OWASP's recommendation for argon2id, and the twenty-fifth part of a box of 512 MB."""
PASSES: Final = 2
SALT_LENGTH: Final = 16
HASH_LENGTH: Final = 32
WAITING: Final = 4
"""That wait while one is worked on; a box that takes 0.3 s for one answers each within 1.5 s."""
SHORTEST: Final = 10
LONGEST: Final = 200
"""Characters."""


class BusyError(AttuneError):
    """Too many passwords wait to be looked at."""


class Passwords:
    """Hashes passwords and compares them with hashes; for any number of threads. Methods raise BusyError."""

    def __init__(self, memory_kib: int = MEMORY_KIB, waiting: int = WAITING) -> None:
        self._hasher = PasswordHasher(PASSES, memory_kib, 1, HASH_LENGTH, SALT_LENGTH)
        self._nobody = _of_nobody(self._hasher)
        self._places = threading.BoundedSemaphore(1 + waiting)
        # One thread, as glibc keeps freed memory for the thread that used it: 16 threads of the page, each of which had
        # taken 19 MiB once, held 280 MB; this one holds 20. It ends with this object.
        self._thread = ThreadPoolExecutor(1, "password")

    def hash(self, password: str) -> str:
        return self._alone(lambda: self._hasher.hash(_bytes(password)))

    def fits(self, password: str, kept: str | None) -> bool:
        """Whether it is the password of that hash; for None, who is nobody, no, after as much work."""

        def compare() -> bool:
            try:
                return self._hasher.verify(kept or self._nobody, _bytes(password)) and kept is not None
            except (VerificationError, InvalidHashError):
                return False

        return self._alone(compare)

    def is_outdated(self, kept: str) -> bool:
        """Whether it was hashed with other parameters than these."""
        return self._hasher.check_needs_rehash(kept)

    def _alone(self, work: Callable[[], Answer]) -> Answer:
        if not self._places.acquire(blocking=False):
            raise BusyError("many sign in at this moment; try again in a few seconds")
        try:
            return self._thread.submit(work).result()
        finally:
            self._places.release()


def _bytes(password: str) -> bytes:
    """One keyboard writes an accent as a sign of its own, the next as a part of its letter."""
    return normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _of_nobody(hasher: PasswordHasher) -> str:
    """A hash in the present form that no password is known for."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=") for length in (SALT_LENGTH, HASH_LENGTH)
    )
    return f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${salt}${digest}"
