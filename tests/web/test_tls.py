"""The certificate is for this device's names, is kept for nobody else to read, and is renewed in time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from companion_web import tls
from companion_web.tls import Identity
from device.signals import AttuneError

NAMES = ("localhost", "attune.local", "192.168.1.5", "fe80::1")
NOW = datetime(2027, 3, 1, tzinfo=UTC)


def parsed(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / tls.FILE).read_bytes())


def test_it_is_what_browsers_accept(tmp_path: Path) -> None:
    Identity(tmp_path, NAMES, lambda: NOW).context()
    found = parsed(tmp_path)
    assert found.not_valid_after_utc - found.not_valid_before_utc < timedelta(days=825)
    assert found.not_valid_before_utc < NOW
    assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "attune.local"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.168.1.5", "fe80::1"]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_key_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    Identity(tmp_path / "state", NAMES, lambda: NOW).context()
    assert (tmp_path / "state" / tls.FILE).stat().st_mode & 0o777 == 0o600


def test_it_is_the_same_after_a_restart(tmp_path: Path) -> None:
    first = Identity(tmp_path, NAMES, lambda: NOW).certificate
    assert Identity(tmp_path, NAMES[:2], lambda: NOW).certificate == first == tls.read(tmp_path)


def test_a_further_name_makes_a_new_one(tmp_path: Path) -> None:
    first = Identity(tmp_path, NAMES, lambda: NOW).certificate
    later = Identity(tmp_path, (*NAMES, "music.lan"), lambda: NOW).certificate
    assert later.fingerprint != first.fingerprint
    assert "music.lan" in later.names


def test_it_is_renewed_before_its_end_while_the_page_runs(tmp_path: Path) -> None:
    now = [NOW]
    identity = Identity(tmp_path, NAMES, lambda: now[0])
    first, context = identity.certificate, identity.context()
    now[0] = first.until - tls.RENEW - timedelta(minutes=1)
    assert identity.context() is context
    now[0] += timedelta(minutes=2)
    assert identity.context() is not context
    assert identity.certificate.until > first.until


def test_a_clock_that_starts_in_the_past_makes_none_that_has_ended(tmp_path: Path) -> None:
    identity = Identity(tmp_path, NAMES, lambda: datetime(1970, 1, 1, tzinfo=UTC))
    assert identity.certificate.until > datetime(2028, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "damage", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / tls.FILE).write_bytes(damage)
    assert tls.read(tmp_path) is None
    Identity(tmp_path, NAMES, lambda: NOW).context()
    assert tls.read(tmp_path)


def test_the_fingerprint_is_that_which_browsers_show(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.hashes import SHA256

    found = Identity(tmp_path, NAMES, lambda: NOW).certificate
    assert found.fingerprint == parsed(tmp_path).fingerprint(SHA256()).hex(":").upper()


def test_a_folder_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"a file where the folder should be")
    with pytest.raises(AttuneError, match=r"\[web\] https = false"):
        Identity(tmp_path / "state", NAMES, lambda: NOW).context()
