"""Sleeves of tracks: what lies in or beside the files of the music folder, and Spotify's, which the device fetches."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.music.cover_files import LARGEST, pictures
from device.pipeline import TURN_S, Mailbox, Worker
from device.ports import Cover
from device.sensors.headers import picture_size
from device.sensors.media import decode_picture
from device.signals import AttuneError, Event, PlayerState, Queue, SensorError, Track

log = logging.getLogger(__name__)

SIDE: Final = 300
"""Pixels of the longer side at most: three for each CSS pixel of what the page shows on a phone."""
JPEG_QUALITY: Final = 82
MOST_PIXELS: Final = 16_000_000
"""Pixels of a picture that is decoded: 48 MB for a moment."""

MOST_TRACKS: Final = 200
"""Tracks that sleeves are given for: the last ones that played, were queued or suggested."""
MOST_KEPT: Final = 64
"""Sleeves in memory, some 25 kB each."""
AHEAD: Final = 3
"""Tracks of a queue whose sleeves are loaded before anybody asks."""
KEPT_S: Final = 3_600.0
"""Seconds after which a sleeve is loaded anew: files change, and what is Spotify's is to be up to date."""
AGAIN_S: Final = 300.0
"""Seconds after which one that was not found is looked for again."""

_MAGIC: Final = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"RIFF", "image/webp"))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What was found of a track at a second of the clock."""

    cover: Cover | None
    at: float

    def is_stale(self, now: float) -> bool:
        return now - self.at >= (KEPT_S if self.cover else AGAIN_S)


class Covers:
    """Sleeves of the tracks that it heard of as a Sink or by `note`, and of no others; ports.Covers for the page.

    They are loaded by whoever runs `load`, in one thread, and held in memory alone. `fetch` gets the picture at an
    address of Spotify's, or raises AttuneError; without it Spotify's tracks have none.
    """

    def __init__(
        self,
        folder: Path,
        fetch: Callable[[str], bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._tracks: OrderedDict[str, Track] = OrderedDict()
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._asked: set[str] = set()
        self._box: Mailbox[str] = Mailbox(MOST_TRACKS)

    def offer(self, event: Event) -> None:
        """Hear what plays and what is queued; never blocks and never raises."""
        if isinstance(event, Queue):
            self.note(event.tracks)
            for track in event.tracks[:AHEAD]:
                self.get(track.uri)
        elif isinstance(event, PlayerState) and event.track:
            self.note((event.track,))
            self.get(event.track.uri)

    def note(self, tracks: Iterable[Track]) -> None:
        """Give the sleeves of these tracks too, from now on."""
        with self._lock:
            for track in tracks:
                self._tracks[track.uri] = track
                self._tracks.move_to_end(track.uri)
            while len(self._tracks) > MOST_TRACKS:
                self._tracks.popitem(last=False)

    def look_in(self, folder: Path) -> None:
        """Take sleeves from another folder from now on; those of the one before are forgotten."""
        with self._lock:
            self._folder = folder
            self._loaded.clear()

    def get(self, uri: str) -> Cover | None:
        """What there is now; where that is nothing yet, or old, it is loaded for the next time."""
        with self._lock:
            if uri not in self._tracks:
                return None
            loaded = self._loaded.get(uri)
            if (loaded is None or loaded.is_stale(self._clock())) and uri not in self._asked:
                self._asked.add(uri)
                self._box.put(uri)
            return loaded.cover if loaded else None

    def work(self, worker: Worker) -> None:
        """The body of the worker that loads."""
        worker.works()
        while not worker.stopping.is_set():
            worker.beat()
            self.load(TURN_S)

    def load(self, timeout_s: float) -> bool:
        """Load the sleeve of the next track; whether there was one in time."""
        uri = self._box.get(timeout_s)
        if uri is None:
            return False
        with self._lock:
            track = self._tracks.get(uri)
        cover = self._cover(track) if track else None
        with self._lock:
            self._asked.discard(uri)
            self._loaded[uri] = _Loaded(cover, self._clock())
            self._loaded.move_to_end(uri)
            while len(self._loaded) > MOST_KEPT:
                self._loaded.popitem(last=False)
        return True

    def _cover(self, track: Track) -> Cover | None:
        try:
            if track.source == "spotify":
                return original(self._fetch(track.cover)) if self._fetch and track.cover else None
            return next(self._in_folder(track.uri), None)
        except AttuneError as error:
            log.info("covers: %s has none for now: %s", track.uri, error)
            return None

    def _in_folder(self, uri: str) -> Iterator[Cover]:
        for data in pictures(self._folder, uri):
            try:
                yield smaller(data)
            except SensorError as error:
                log.info("covers: a picture of %s is passed over: %s", uri, error)


def smaller(data: bytes) -> Cover:
    """A picture as JPEG of at most SIDE pixels a side, in its own proportions; raises SensorError where it is none."""
    _check(data)
    pixels = decode_picture(data)
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    shrunk = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else pixels
    encoded = cv2.imencode(".jpg", cv2.cvtColor(shrunk, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return Cover(encoded.tobytes(), "image/jpeg")


def original(data: bytes) -> Cover:
    """A picture as it came, which is how Spotify wants its own shown; raises SensorError where it is none."""
    return Cover(data, _check(data))


def _check(data: bytes) -> str:
    """The media type; raises SensorError for what is no JPEG, PNG or WebP, or too large to be decoded."""
    kind = next((kind for magic, kind in _MAGIC if data.startswith(magic)), "")
    if not kind:
        raise SensorError("not a picture that can be shown; use JPEG, PNG or WebP")
    size = picture_size(data)
    if size.pixels > MOST_PIXELS or len(data) > LARGEST:
        raise SensorError(
            f"the picture is too large ({size.width} x {size.height}, {len(data):,} bytes); scale it down"
        )
    return kind
