"""Names and addresses of this machine, and no others, are taken for it."""

import socket

import pytest

from companion_web.addresses import is_address, is_ours, own_addresses, own_names, page_address

NAMES = ("localhost", "speaker", "speaker.local", "Music.Example")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:8765", "192.168.1.5:80", "[::1]", "[fe80::1]:8765", "localhost", "LOCALHOST:1",
        "speaker", "speaker.local:8765", "speaker.local.", "music.example",
    ],
)  # fmt: skip
def test_addresses_and_names_are_ours(host: str) -> None:
    assert is_ours(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "", ":", ":8765", "evil.example", "evil.example:8765", "127.0.0.1.evil.example", "a@localhost:8765", "[::1",
        "::1", "[localhost]", "[127.0.0.1]", "localhost:80:80", "localhost:x", "localhost:٣", "127.1", "2130706433",
        "0x7f000001", "speaker.local.evil.example", "xspeaker.local", "localhost\x00", "localhost/..",
    ],
)  # fmt: skip
def test_what_a_foreign_site_could_use_is_not(host: str) -> None:
    assert not is_ours(host, NAMES)


def test_this_machine_has_its_names() -> None:
    assert {"localhost", socket.gethostname().lower()} <= set(own_names())
    assert any(name.endswith(".local") for name in own_names())


def test_this_machine_has_addresses_that_can_be_listened_on() -> None:
    for address in own_addresses():
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))


def test_a_phone_is_told_what_it_can_open() -> None:
    assert page_address("192.168.1.5", 80) == "http://192.168.1.5:80"
    assert page_address("::1", 8765, https=True) == "https://[::1]:8765"
    anywhere = page_address("0.0.0.0", 8765)
    assert anywhere != "http://0.0.0.0:8765"
    assert is_address(anywhere.removeprefix("http://").removesuffix(":8765").strip("[]"))
