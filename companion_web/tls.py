"""The certificate of https: made and signed by this device, renewed before it ends, known by its fingerprint."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from companion_web.addresses import LOOPBACK, is_address, own_addresses, own_names
from device.config import Web
from device.files import write_private
from device.signals import AttuneError

if TYPE_CHECKING:
    from cryptography import x509

log = logging.getLogger(__name__)

FILE: Final = "page.pem"
"""Key and certificate in the state folder, for nobody else to read."""
VALID: Final = timedelta(days=820)
"""Apple's browsers take no more than 825 days from any server (support.apple.com/103769)."""
RENEW: Final = timedelta(days=30)
"""So long before its end a certificate is made anew."""
MADE: Final = datetime(2026, 11, 1, tzinfo=UTC)
"""No clock is right that is before this; a Pi without a network starts in the past."""


@dataclass(frozen=True)
class Certificate:
    """What stands in a certificate: the names and addresses that it is for, its end, and its SHA-256 fingerprint."""

    names: tuple[str, ...]
    until: datetime
    fingerprint: str

    def serves(self, names: Sequence[str], now: datetime) -> bool:
        """Whether it is for all these names, and for a while yet."""
        return set(names) <= set(self.names) and now < self.until - RENEW


class Identity:
    """The certificate of this device for those names and addresses, kept in a folder; may be asked from any thread.

    `utc` is the wall time. Raises AttuneError, saying what to do, where the folder cannot be written or `cryptography`
    is not installed.
    """

    def __init__(self, folder: Path, names: Sequence[str], utc: Callable[[], datetime]) -> None:
        self.path = folder / FILE
        self._names = tuple(names)
        self._utc = utc
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._certificate: Certificate | None = None

    @property
    def certificate(self) -> Certificate:
        """The one that browsers are shown now."""
        return self._current()[1]

    def context(self) -> ssl.SSLContext:
        """What a connection is wrapped with; it is renewed when its certificate nears its end."""
        return self._current()[0]

    def _current(self) -> tuple[ssl.SSLContext, Certificate]:
        with self._lock:
            now = max(self._utc(), MADE)
            if self._context is None or self._certificate is None or not self._certificate.serves(self._names, now):
                self._certificate = self._kept(now) or self._make(now)
                self._context = _context(self.path)
            return self._context, self._certificate

    def _kept(self, now: datetime) -> Certificate | None:
        found = read(self.path.parent)
        return found if found and found.serves(self._names, now) else None

    def _make(self, now: datetime) -> Certificate:
        data = _make(self._names, now)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_private(self.path, data)
        except OSError as error:
            raise AttuneError(
                f"page: the certificate cannot be kept in {self.path.parent} ({error.strerror}); "
                "make that folder writable, or set [web] https = false"
            ) from error
        found = _parse(data)
        log.info("page: a new certificate is made; browsers warn of it once more")
        return found


def identity_of(web: Web, folder: Path, utc: Callable[[], datetime]) -> Identity | None:
    """The identity for every name and address of this machine; None where the settings want no https."""
    if not web.https:
        return None
    names = (*own_names(), *own_addresses(), *LOOPBACK, *web.names)
    return Identity(folder, tuple(dict.fromkeys(names)), utc)


def read(folder: Path) -> Certificate | None:
    """The certificate that is kept in a state folder; None where there is none that can be read."""
    try:
        return _parse((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return None


def _context(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # what is older, browsers have refused since 2020
    context.load_cert_chain(path)
    return context


def _make(names: Sequence[str], now: datetime) -> bytes:
    """Key and certificate as PEM, on the curve P-256: every browser takes it, and a Pi signs in a millisecond."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Attune")])
    begin = now - timedelta(days=1)  # clocks of phones differ
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, begin + VALID)
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), critical=False)
        # No authority: who trusts it trusts it for these names alone, not for every site that its key could sign for.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + certificate.public_bytes(pem)


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    return x509.IPAddress(ip_address(name)) if is_address(name) else x509.DNSName(name)


def _parse(pem: bytes) -> Certificate:
    """What stands in the certificate of a file; raises ValueError where it holds none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = x509.load_pem_x509_certificate(pem)
    kept = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = tuple(str(one.value) for one in kept)
    digest = sha256(found.public_bytes(Encoding.DER)).hexdigest().upper()
    return Certificate(names, found.not_valid_after_utc, ":".join(wrap(digest, 2)))
