"""The language of an answer: what the browser prefers or the person chose, among the translations that there are."""

from __future__ import annotations

import gettext as messages
from functools import cache
from pathlib import Path
from typing import Final

from flask import Flask, g, has_request_context, request

FOLDER: Final = Path(__file__).parent / "translations"
SOURCE: Final = "en"
"""The language that the pages are written in."""
COOKIE: Final = "attune_language"


@cache
def languages() -> tuple[str, ...]:
    """The languages that there are, English first."""
    return (SOURCE, *sorted(path.parent.parent.name for path in FOLDER.glob("*/LC_MESSAGES/attune.mo")))


def language() -> str:
    """The language of this answer."""
    if not has_request_context():
        return SOURCE
    if "language" not in g:
        chosen = request.cookies.get(COOKIE, "")
        best = request.accept_languages.best_match(languages(), SOURCE)
        g.language = chosen if chosen in languages() else best
    return str(g.language)


def gettext(text: str) -> str:
    """A text in the language of this answer."""
    return _translations(language()).gettext(text)


def ngettext(one: str, many: str, number: int) -> str:
    """A text about a number of things in the language of this answer."""
    return _translations(language()).ngettext(one, many, number)


def speak(app: Flask) -> None:
    """Have the templates of an application speak that language."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.globals["language"] = language


@cache
def _translations(name: str) -> messages.NullTranslations:
    return messages.translation("attune", FOLDER, [name], fallback=True)
