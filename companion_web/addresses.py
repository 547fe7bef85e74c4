"""The names and addresses under which browsers reach this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

_FAR: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that belong to nobody (RFC 5737, RFC 3849), one of each family."""
ANYWHERE: Final = ("0.0.0.0", "::")
LOOPBACK: Final = ("127.0.0.1", "::1")


def own_names() -> tuple[str, ...]:
    """Names of this machine: localhost, its own, and that by which mDNS finds it."""
    name = socket.gethostname().lower().rstrip(".")
    first = name.partition(".")[0]
    found = ("localhost", name, first, f"{first}.local")
    return tuple(dict.fromkeys(one for one in found if one))


def own_addresses() -> tuple[str, ...]:
    """Addresses of this machine in the networks that it is in, none where it is in none."""
    return tuple(address for family, far in _FAR if (address := _towards(family, far)))


def page_address(host: str, port: int, https: bool = False) -> str:
    """What a phone in the house would type for a page that listens there."""
    name = next(iter(own_addresses()), LOOPBACK[0]) if host in ANYWHERE else host
    return f"{'https' if https else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"


def is_ours(host: str, names: Iterable[str]) -> bool:
    """Whether the value of a Host header is an address, or one of the names; upper and lower case are the same.

    A foreign site can have its own name point here (DNS rebinding), so that its scripts would be taken for ours; it
    cannot do that with an address. The port may be any, as it may be forwarded from another.
    """
    name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
    if port and not (port.isascii() and port.isdigit()):
        return False
    if name.startswith("[") and name.endswith("]"):
        return is_address(name[1:-1], 6)
    return is_address(name, 4) or name.lower().rstrip(".") in {known.lower() for known in names}


def is_address(text: str, version: int | None = None) -> bool:
    """Whether this is an IP address, of that version where one is given."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return version in (None, address.version)


def _towards(family: socket.AddressFamily, far: str) -> str:
    """Our address on the way to another; nothing is sent, as connecting by UDP only chooses the way."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
