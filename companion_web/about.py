"""What this Attune is and how it is: versions, licences, health, and a bundle for whoever helps."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response

from companion_web import tls
from companion_web.diagnostics import bundle
from companion_web.doors import add_page
from companion_web.language import gettext as _
from companion_web.language import ngettext
from companion_web.pages import page
from companion_web.room import Room
from companion_web.telling import part_name
from device.config import models_folder, state_folder
from device.inference.manifest import ModelSpec, load_manifest
from device.signals import ModelError

MOST_TROUBLES: Final = 20
LONGEST_LICENCE: Final = 60
"""Characters; packages that give the whole text in the line are told of by their classifiers."""


@dataclass(frozen=True, slots=True)
class Package:
    """A program part of others, and its licence as its makers name it."""

    name: str
    version: str
    licence: str


@dataclass(frozen=True)
class Views:
    """What the routes answer."""

    room: Room

    def health(self) -> Response:
        """How every part is, what the machine suffers, and what went wrong of late."""
        return page(
            "settings_health.html",
            parts=[self._part(name, told) for name, told in self.room.board.snapshot()["health"].items()],
            vitals=self.room.vitals() if self.room.vitals else None,
            lost=lost_names(),
            versions=versions(),
            troubles=self._troubles(),
            since=since,
        )

    def about(self) -> Response:
        config = self.room.config()
        certificate = tls.read(state_folder(config)) if config.web.https else None
        return page("settings_about.html", versions=versions(), https=config.web.https, certificate=certificate)

    def licences(self) -> Response:
        folder = models_folder(self.room.config())
        terms = folder / "LICENSE.md"
        return page(
            "settings_licences.html",
            ours=own_licence(),
            packages=packages(),
            models=models(folder),
            terms=terms.read_text(encoding="utf-8") if terms.is_file() else "",
        )

    def diagnostics(self) -> Response:
        """A zip, made in memory, without anything private."""
        data = bundle(self.room, versions())
        return Response(
            data,
            mimetype="application/zip",
            headers={"Content-Disposition": 'attachment; filename="attune-diagnostics.zip"'},
        )

    def _part(self, name: str, told: dict[str, Any]) -> dict[str, str]:
        return {"name": part_name(name), "status": told["status"], "message": told["message"]}

    def _troubles(self) -> list[dict[str, Any]]:
        """The last failures, the newest first, each once."""
        told: dict[tuple[str, str], dict[str, Any]] = {}
        for event in self.room.board.events():
            if event["kind"] == "health" and event["status"] in ("missing", "degraded"):
                key = (event["part"], event["message"])
                told.pop(key, None)
                ago_s = self.room.clock() - event["at"]
                told[key] = {"part": part_name(key[0]), "message": key[1], "ago": since(ago_s)}
        return list(reversed(told.values()))[:MOST_TROUBLES]


def add_to(blueprint: Blueprint, room: Room) -> None:
    """Serve these pages below that blueprint's path."""
    views = Views(room)
    add_page(blueprint, "/health", views.health, "owner")
    add_page(blueprint, "/diagnostics.zip", views.diagnostics, "owner")
    add_page(blueprint, "/about", views.about, "guest")
    add_page(blueprint, "/licences", views.licences, "guest")


def versions() -> dict[str, str]:
    """What runs here: Attune, Python, the system, and the packages that do the heavy work."""
    heavy = (
        "numpy",
        "onnxruntime",
        "ai-edge-litert",
        "opencv-python-headless",
        "av",
        "Flask",
        "SQLAlchemy",
        "paho-mqtt",
    )
    known = {package.name.lower(): package.version for package in packages()}
    return {
        "Attune": _version("attune"),
        "Python": platform.python_version(),
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
        **{name: known[name.lower()] for name in heavy if name.lower() in known},
    }


@cache
def packages() -> tuple[Package, ...]:
    """The packages that Attune needs and that are installed, and those that they need, by name."""
    found: dict[str, Package] = {}
    waiting = ["attune"]
    while waiting:
        name = _normal(waiting.pop())
        if name in found:
            continue
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed
        found[name] = Package(package.name, package.version, _licence(package.metadata))
        waiting += [match.group() for need in package.requires or () if (match := re.match(r"[\w.-]+", need))]
    found.pop("attune", None)
    return tuple(found[name] for name in sorted(found))


@cache
def own_licence() -> str:
    """The text of our own licence, from beside the code or from the installed package."""
    beside = Path(__file__).parent.parent / "LICENSE"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    try:
        files = importlib.metadata.files("attune") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    return next((file.read_text() for file in files if file.name == "LICENSE"), "Apache License 2.0")


def models(folder: Path) -> list[ModelSpec]:
    """The model files with their terms; none where the manifest cannot be read, which the senses tell."""
    try:
        return list(load_manifest(folder).values())
    except ModelError:
        return []


def since(seconds: float) -> str:
    """How long ago, in the largest unit that gives at least one."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        return ngettext("%(number)d minute", "%(number)d minutes", minutes) % {"number": minutes}
    hours = minutes // 60
    if hours < 48:
        return ngettext("%(number)d hour", "%(number)d hours", hours) % {"number": hours}
    return ngettext("%(number)d day", "%(number)d days", hours // 24) % {"number": hours // 24}


def lost_names() -> dict[str, str]:
    """What each counter counts."""
    return {
        "pictures": _("Pictures passed over for newer ones"),
        "sounds": _("Pieces of sound that came too fast"),
        "sentences": _("Sentences that came too fast"),
        "estimates": _("Estimates passed over for newer ones"),
        "events": _("Events that could not be kept"),
        "messages": _("Messages that the broker never got"),
    }


def _licence(metadata: Any) -> str:
    """An SPDX expression where there is one, else what the classifiers say, else the line of the licence."""
    if expression := metadata.get("License-Expression"):
        return str(expression)
    named = list(_classified(metadata.get_all("Classifier") or []))
    line = str(metadata.get("License") or "").strip()
    if line and "\n" not in line and len(line) <= LONGEST_LICENCE:
        return line
    return ", ".join(named) or _("in its files")


def _classified(classifiers: list[str]) -> Iterator[str]:
    for classifier in classifiers:
        if classifier.startswith("License :: "):
            yield classifier.rpartition(" :: ")[2]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return _("unknown")
