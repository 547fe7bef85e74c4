"""`python provisioning/translations.py`: collects the texts of the page into its .po files and compiles these.

With --check it changes nothing, and fails where a text has no translation or a compiled file is old.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "companion_web"
METHODS: Final = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS: Final[dict[str, dict[str, Any]]] = {"templates/**.html": {"newstyle_gettext": "true", "silent": "false"}}
KEYWORDS: Final[dict[str, Any]] = {"_": None, "gettext": None, "ngettext": (1, 2)}


def texts() -> Catalog:
    """Every text of the page, with the files that have it; without line numbers, which change for nothing."""
    found = Catalog(project="Attune", charset="utf-8")
    for file, _, message, comments, context in extract_from_dir(
        PAGE, METHODS, OPTIONS, KEYWORDS, strip_comment_tags=True
    ):
        found.add(message, None, [(file, None)], auto_comments=comments, context=context)
    return found


def compiled(catalog: Catalog) -> bytes:
    """The file that the page reads."""
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def missing(catalog: Catalog) -> list[str]:
    """The texts without a translation, or with one that may not fit any more."""
    return [str(message.id) for message in catalog if message.id and (not message.string or message.fuzzy)]


def renewed(path: Path) -> Catalog:
    """A file's translations of the texts that the page has now."""
    catalog = read_po(io.BytesIO(path.read_bytes()), locale=path.parent.parent.name)
    made = catalog.creation_date
    catalog.update(texts(), no_fuzzy_matching=True)
    catalog.creation_date = made  # else the compiled file would differ each time
    catalog.obsolete.clear()
    return catalog


def write(path: Path, catalog: Catalog) -> None:
    """Put a catalog and what it compiles to in place of the files."""
    with path.open("wb") as file:
        write_po(file, catalog, width=120, sort_output=True)
    path.with_suffix(".mo").write_bytes(compiled(catalog))


def problems(path: Path, catalog: Catalog) -> list[str]:
    """What is wrong with a file of translations, and with the one compiled from it."""
    binary = path.with_suffix(".mo")
    found = [f"{path.relative_to(ROOT)}: no translation of {text!r}" for text in missing(catalog)]
    if not binary.exists() or binary.read_bytes() != compiled(catalog):
        found.append(f"{binary.relative_to(ROOT)}: old; run `make translations`")
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where something is missing or old")
    check = parser.parse_args(arguments).check
    told: list[str] = []
    for path in sorted(PAGE.glob("translations/*/LC_MESSAGES/attune.po")):
        catalog = renewed(path)
        if not check:
            write(path, catalog)
        told += problems(path, catalog)
    sys.stderr.writelines(f"{line}\n" for line in told)
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
