"""The lyrics of a track: found in its tags or in a file beside it, and freed of everything that is not sung."""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from device.music.folder import TAG_BUGS

SIDE_CARS: Final = (".lrc", ".txt")
"""Files with lyrics, of the same name as the track but for this ending; the first that has words counts."""

MOST_BYTES: Final = 262_144
"""A longer file beside a track is no lyrics: the longest of a thousand songs have 5,575 characters."""

MOST_CHARACTERS: Final = 20_000
"""What is read of lyrics that come otherwise: four times the longest of a thousand songs."""

VERSE_LINES: Final = 8
"""Longer verses are cut: some lyrics have no empty line, and a verse has 4 to 8."""


@dataclass(frozen=True, slots=True)
class Lyrics:
    """Lyrics as they stand in `where` (tags, or a file's name); a `problem` says why there are no words."""

    words: str
    where: str
    problem: str = ""


def find(track: Path) -> Lyrics | None:
    """The lyrics in the tags of an audio file or beside it; None where there are none. Never raises for a bad file."""
    found = [lyrics for lyrics in (_tagged(track), *_beside(track)) if lyrics]
    return next((lyrics for lyrics in found if not lyrics.problem), found[0] if found else None)


def read(path: Path) -> Lyrics:
    """The lyrics in a text file of any usual encoding; never raises."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return Lyrics("", path.name, f"over {MOST_BYTES // 1024} KiB: too long for lyrics")
        words = decoded(path.read_bytes())
    except OSError as error:
        return Lyrics("", path.name, f"cannot be read: {error.strerror}")
    return Lyrics(words, path.name, "" if words.strip() else "no text in it")


def decoded(data: bytes) -> str:
    """Text by its byte order mark, else UTF-16 (every other byte is zero), UTF-8 or Windows-1252; empty for no text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _as_text(data.decode(encoding, "replace"))
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data[first::2].count(0) > len(data) / 4:
            return _as_text(data.decode(encoding, "replace"))
    try:
        return _as_text(data.decode("utf-8"))
    except UnicodeDecodeError:
        return _as_text(data.decode("cp1252", "replace"))


def sung(text: str) -> str:
    """The words that are sung, a line each, verses apart by an empty line.

    Goes without time stamps (lines of an .lrc with several stand at each of them, in order), metadata, names of parts
    ("Chorus:", "[Verse 2]"), "x2" and markup. Reads at most MOST_CHARACTERS.
    """
    text = unicodedata.normalize("NFC", html.unescape(_BREAK.sub("\n", text[:MOST_CHARACTERS])))
    lines = [_without_labels(line) for line in _in_order(text.splitlines())]
    return _GAP.sub("\n\n", "\n".join(lines)).strip()


def verses(words: str) -> tuple[str, ...]:
    """What `sung` gave, cut at empty lines and after VERSE_LINES lines; a chorus comes as often as it is sung."""
    return tuple(verse for part in words.split("\n\n") for verse in _cut(part.splitlines()))


def is_instrumental(text: str) -> bool:
    """Whether it says in place of lyrics that nobody sings, as lyrics programs write it."""
    short = " ".join(_LETTERS.findall(_STAMP.sub(" ", _ABOUT.sub(" ", text[:MOST_CHARACTERS])))).casefold()
    return len(short) < 80 and bool(_NOBODY_SINGS.search(short))


# -- where lyrics are --------------------------------------------------------------------------------------------------


def _tagged(track: Path) -> Lyrics | None:
    import mutagen

    try:
        file = mutagen.File(track)
    except (mutagen.MutagenError, OSError, *TAG_BUGS):
        return None
    tags: Mapping[str, Any] = (file.tags if file is not None else None) or {}
    words = max((_text(tags[key]) for key in _keys(tags)), key=len, default="")
    return Lyrics(words, "tags") if words.strip() else None


def _keys(tags: Mapping[str, Any]) -> Iterator[str]:
    """The tags that hold lyrics: English ones where there are several languages, unsynchronised before timed ones."""
    named = [key for key in tags.keys() if _LYRICS_KEY.fullmatch(key)]  # noqa: SIM118 - some tags are no real mapping
    english = [key for key in named if key.endswith(":eng")]
    yield from english or named


def _text(value: Any) -> str:
    """The text of a tag: a frame of ID3, its pairs of words and times, or a list of strings."""
    held = getattr(value, "text", value)
    parts = held if isinstance(held, list) else [held]
    return "\n".join(str(part[0]) if isinstance(part, tuple) else str(part) for part in parts)


def _beside(track: Path) -> Iterator[Lyrics]:
    for ending in SIDE_CARS:
        for path in (track.with_suffix(ending), track.with_suffix(ending.upper())):
            if path.is_file():
                yield read(path)
                break


_LYRICS_KEY: Final = re.compile(
    r"(?:USLT|SYLT)(?::.*)?|(?:TXXX:)?(?:un)?(?:synced)?\s?lyrics|\xa9lyr|WM/Lyrics(?:_Synchronised)?", re.IGNORECASE
)
"""Where ID3, Vorbis comments, APEv2, MP4 and ASF keep lyrics."""

# -- from bytes to text ------------------------------------------------------------------------------------------------

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the mark of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _as_text(text: str) -> str:
    """Nothing where over a twentieth of the characters are none that a text has: it was a picture, or an archive."""
    strange = sum(c == "\ufffd" or (unicodedata.category(c) == "Cc" and c not in "\r\n\t\f") for c in text)
    return "" if strange > len(text) / 20 else text


# -- from text to what is sung -----------------------------------------------------------------------------------------

_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
_GAP: Final = re.compile(r"\n(?:[ \t]*\n)+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_STAMP: Final = re.compile(r"\[\s*-?(\d{1,3}):(\d{1,2}(?:\.\d{1,3})?)[:.\d]*\s*\]?")
"""A time of an .lrc, "[01:02.34]"; programs write wrong ones, too, with the bracket left open or with hundredths after
a colon."""
_WORD_STAMP: Final = re.compile(r"<\s*\d{1,3}:\d{1,2}[:.\d]*\s*>")
_ABOUT: Final = re.compile(r"^[^\S\n]*\[\s*[a-z#]{1,10}\s*:.*$", re.IGNORECASE | re.MULTILINE)
"""A line of an .lrc about the song: "[ar:Artist]"."""
_IN_BRACKETS: Final = re.compile(r"\[[^\]\n]*\]?|\{[^}\n]*\}")
_PART: Final = (
    r"(?:pre|post)?[- ]?(?:verse|chorus|bridge|refrain|intro|outro|hook|interlude|instrumental|solo|breakdown|repeat)"
    r"(?:\s+(?:\d{1,2}|one|two|three|four|five|i{1,3}|iv|v|chorus|verse))?"
)
_ONLY_PART: Final = re.compile(rf"\W*{_PART}\W*(?:x\s?\d+|\d+\s?x|\d+ times)?\W*", re.IGNORECASE)
_PART_FIRST: Final = re.compile(rf"^\W*{_PART}\s*:\s*", re.IGNORECASE)
_TIMES: Final = re.compile(r"\s*(?:\(\s*(?:repeat )?(?:x\s?\d+|\d+\s?x|\d+ times)\s*\)|\bx\s?\d+)\s*$", re.IGNORECASE)
_NOBODY_SINGS: Final = re.compile(r"\binstrumental\b|\bno lyrics\b|纯音乐|純音樂")


def _in_order(lines: list[str]) -> list[str]:
    """The lines of an .lrc without stamps, each at each of its times; other lines stay behind the one before them."""
    placed: list[tuple[float, str]] = []
    for line in lines:
        times = [int(minutes) * 60 + float(seconds) for minutes, seconds in _STAMP.findall(line)]
        words = _WORD_STAMP.sub("", _STAMP.sub("", line))
        placed += [(at, words) for at in times or [placed[-1][0] if placed else 0.0]]
    return [words for _, words in sorted(placed, key=lambda pair: pair[0])]


def _without_labels(line: str) -> str:
    line = _IN_BRACKETS.sub(" ", _ABOUT.sub("", line)).strip()
    if _ONLY_PART.fullmatch(line):
        return ""
    return _TIMES.sub("", _PART_FIRST.sub("", line)).strip()


def _cut(lines: list[str]) -> Iterator[str]:
    for start in range(0, len(lines), VERSE_LINES):
        yield "\n".join(lines[start : start + VERSE_LINES])
