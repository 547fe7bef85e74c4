"""axe-core 4.12 on the page that a browser shows: what keeps people from using it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "axe_playwright_python"
"""Bundles axe.min.js; nothing else of it is used."""
COUNTED = ("serious", "critical")


@dataclass(frozen=True)
class Violation:
    """A rule of axe that some elements break."""

    rule: str
    impact: str
    elements: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.impact} {self.rule}: {'; '.join(self.elements)}"


def missing() -> str:
    """What has to be installed before axe can look; empty when nothing."""
    return "" if find_spec(PACKAGE) else "axe-playwright-python (pip, --no-deps)"


def violations(browser: Any) -> list[Violation]:
    """What is serious or critical on the page, as WCAG 2.2 A and AA and axe's best practices have it."""
    browser.execute_script(_source())
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations))"
    )
    return [
        Violation(
            one["id"], one["impact"], tuple(str(node["target"]) + " " + node["html"][:120] for node in one["nodes"][:5])
        )
        for one in found
        if one["impact"] in COUNTED
    ]


@cache
def _source() -> str:
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")
