"""`attune taste`: what the kept reactions say of each listener, as text or JSON, and forgetting it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

from device.compose import database_url
from device.config import Config
from device.music.genres import genres_for
from device.music.taste import Taste
from device.signals import EVERYONE
from device.store import Store

SHOWN: Final = 5
"""Of genres and of tracks, the best ones."""


def show(config: Config, out: TextIO) -> int:
    """Tell what is known of each listener; grows the decision trees, which takes seconds."""
    taste = _taste(config)
    while taste.tend():
        pass
    known = taste.export()["listeners"]
    for who, told in known.items():
        print(f"{who}: {told['reactions']} reactions", *_lines(told), sep="\n", file=out)
    if not known:
        print("nothing is known yet: like, skip or finish some music first", file=out)
    return 0


def export(config: Config, out: TextIO) -> int:
    """All that is known, as JSON."""
    taste = _taste(config)
    while taste.tend():
        pass
    json.dump(taste.export(), out, indent=1, ensure_ascii=False)
    print(file=out)
    return 0


def forget(config: Config, who: str, out: TextIO) -> int:
    """Erase the reactions of a listener, or of EVERYONE, and with them their labelled moments; 1 if there were none."""
    with _store(config) as store:
        known = {reaction.context.who for reaction in store.reactions()} | {one.who for one in store.moments()}
        if who != EVERYONE and who not in known:
            print(f"nothing is kept of {who}; known are: {', '.join(sorted(known)) or 'none'}", file=out)
            return 1
        store.forget(who)
    print(
        f"{who}: forgotten; an Attune that runs must be told too (`forget`, see docs/mqtt.md), or started anew",
        file=out,
    )
    return 0


def _taste(config: Config) -> Taste:
    taste = Taste(lambda emotion: genres_for(emotion, config.music.genres))
    with _store(config) as store:
        taste.rebuild(reversed(store.reactions()))
    return taste


@contextmanager
def _store(config: Config) -> Iterator[Store]:
    with Store(database_url(config), config.store.keep_days) as store:
        yield store


def _lines(told: dict[str, Any]) -> Iterator[str]:
    genres = [f"{genre} {known['reward']:+.2f}" for genre, known in told["genres"].items()]
    yield f"  genres, best first: {', '.join(genres[:SHOWN]) or 'nothing yet'}"
    if tracks := [uri for uri, reward in told["tracks"].items() if reward > told["usual"]][:SHOWN]:
        yield f"  tracks: {', '.join(tracks)}"
    yield from (f"  {sentence}" for sentence in told["sentences"])
