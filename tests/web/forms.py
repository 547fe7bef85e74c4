"""Forms as a browser finds them on a page, and sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

TEXT_TYPES = ("text", "search", "email", "password", "number", "url", "tel", "time", "date", "")


@dataclass
class Form:
    """Where a form goes, what it would send as it is, and which of its fields people type into."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)


def forms_of(page: str) -> list[Form]:
    """The forms of a page."""
    parser = _Parser()
    parser.feed(page)
    return parser.forms


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open = False
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
            self._open = True
        elif self._open:
            self._take(tag, given, self.forms[-1])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False

    def _take(self, tag: str, given: dict[str, str], form: Form) -> None:
        name, kind = given.get("name", ""), given.get("type", "")
        if tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in form.values):
            form.values[self._select] = given.get("value", "")
        elif name and (tag == "textarea" or (tag == "input" and kind in TEXT_TYPES)):
            form.typed.append(name)
            form.values[name] = given.get("value", "")
        elif name and tag == "input" and (kind == "hidden" or (kind in ("checkbox", "radio") and "checked" in given)):
            form.values[name] = given.get("value", "on")
