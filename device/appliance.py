"""The composition root: the only file that names the concrete parts of a room, and their order."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Final

from companion_web import Room, create_app
from companion_web import serve as serve_page
from companion_web.accounts import Accounts
from companion_web.addresses import page_address
from companion_web.setup_token import announce
from companion_web.tls import identity_of
from device import fusion, policy
from device.board import Board
from device.clock import clock, tick
from device.compose import (
    database_url,
    demo_settings,
    known_listeners,
    make_brain,
    music_folder,
    obey,
    rules_of,
    with_kept,
)
from device.config import Config, Music, changed, state_folder
from device.health import THERMAL, Watchdog, free_gb, look, rss_mb, throttled_bits, watch_machine
from device.inference.manifest import ModelSpec
from device.inference.senses import open_face, open_text, open_voice, specs
from device.journal import Journal
from device.judge import JudgeDesk
from device.link import Link
from device.music.catalogue import keys_of
from device.music.covers import Covers
from device.music.desk import MusicDesk
from device.music.dj import Dj
from device.music.editing import Editor
from device.music.genres import genres_for
from device.music.lyrics import LyricsPath, open_lyrics
from device.music.sources import Sources, Stock, uses_spotify
from device.music.taste import Taste
from device.music.taste_tree import TreeError
from device.music.upkeep import keep_up
from device.mutes import Mutes, as_kept
from device.pipeline import TURN_S, Body, Desk, Inbox, Mailbox, Switch, Worker, attend, closing, pump, serve
from device.player.receiver import address_of, receive
from device.players import advance, open_player
from device.ports import JudgedLyrics, Player, Sensor, Sink, Vitals
from device.preview import Preview
from device.renewal import Renewal
from device.sensors.camera import open_camera
from device.sensors.devices import cameras, microphones
from device.sensors.microphone import open_microphone
from device.sensors.replay import Recording
from device.settings import Part, shown
from device.signals import (
    AttuneError,
    ConfigError,
    Control,
    Decision,
    Estimate,
    Event,
    Health,
    Image,
    ModelError,
    PlayerError,
    Sentence,
    Setting,
    Sound,
    Span,
)
from device.spotify import Session, fetch_picture
from device.spotify.watch import watch
from device.store import Store, StoreError
from device.store.catalogue import Tracks

log = logging.getLogger(__name__)

DEMO_RECORDING: Final = Path(__file__).resolve().parent.parent / "tests" / "media" / "evening"
RENEWING: Final = "settings"
"""The worker that starts others anew when their settings change."""
STOP_S: Final = 5.0
"""Seconds that a part gets to end."""


class Appliance:
    """Everything in one process: `start`, then `wait` until told to stop, then `close`.

    With `demo`, the bundled evening takes the place of camera, microphone and typing.
    """

    def __init__(self, config: Config, demo: bool = False) -> None:
        self._given = self._config = demo_settings(config) if demo else config
        self._kept: dict[str, str] = {}
        self._demo = demo
        self._inbox = Inbox()
        self.board = Board()
        self._preview = Preview(time.monotonic)
        self._judge = JudgeDesk(lambda: self._config)
        self._sinks: list[Sink] = [self.board, Journal(), self._preview]
        self._workers: list[Worker] = []
        self._closers: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._erased = threading.Event()
        self._pictures: Mailbox[Image] = Mailbox(1)
        self._sounds: Mailbox[Sound] = Mailbox(50)
        self._sentences: Mailbox[Sentence] = Mailbox(8)
        self._decisions: Mailbox[Decision] = Mailbox(1)
        self._decided: Decision | None = None
        self._orders: Mailbox[Control] = Mailbox(32)
        self._switches = {"camera": Switch(), "microphone": Switch()}
        self._playback = Control("voice", "playback", 0)
        self._link = Link(self._inbox.put, self._tell)
        self._renewal = Renewal(self._renew)
        self._store: Store | None = None
        self._spotify: Session | None = None
        self._taste: Taste | None = None
        self._desk: MusicDesk | None = None
        self._covers: Covers | None = None
        self._watchdog = Watchdog()
        self._started_at = time.monotonic()

    def start(self) -> None:
        """Start every part; what is missing is told and left out, and tried again where it may come back."""
        store = self._open_store()
        self._start_mqtt()
        self._start_brain(store)
        self._start_music(store)
        self._start_senses()
        self._start_page(store)
        self._sinks.append(self._renewal)
        self._work(RENEWING, self._renewal.work)
        self._work("machine", watch_machine(self._tell))
        self._watchdog.ready()
        log.info("ready after %.1f s; %s", time.monotonic() - self._started_at, self._where())

    def wait(self) -> None:
        """Return when told to stop; until then feed systemd's watchdog while the required workers make progress."""
        while not self._stopping.wait(1.0):
            self._watchdog.check(self._workers)

    def stop(self) -> None:
        """Have `wait` return; for signal handlers."""
        self._stopping.set()

    def close(self) -> None:
        """End every part in flow order, within a limit, and name what did not end; may be called more than once."""
        self._stopping.set()
        self._watchdog.stopping()
        self._end(RENEWING)  # which could start others meanwhile
        self._end(*(worker.name for worker in self._workers))
        while self._closers:
            self._closers.pop()()

    def _renew(self, parts: frozenset[Part]) -> None:
        """Set parts to work anew as the settings are now; in the thread of the settings' worker."""
        makers: dict[Part, Callable[[], None]] = {
            "mqtt": self._connect,
            "face": self._start_face,
            "voice": self._start_voice,
            "camera": self._start_camera,
            "microphone": self._start_microphone,
            "library": self._start_library,
            "spotify": self._start_spotify,
            "player": self._start_player,
        }
        recorded = {"camera", "microphone"} if self._demo else set()
        for part, make in makers.items():
            if part in parts - recorded:
                log.info("%s: works anew with other settings", part)
                make()

    # -- parts, in the order in which they start -----------------------------------------------------------------------

    def _open_store(self) -> Store:
        store = self._store = Store(database_url(self._config), self._config.store.keep_days, self._tell)
        self._sinks.append(store)
        self._closers.append(store.close)
        self._kept = store.settings()
        self._config = with_kept(self._given, self._kept)
        return store

    def _start_mqtt(self) -> None:
        self._sinks.append(self._link)
        self._closers.append(self._link.close)
        self._connect()

    def _connect(self) -> None:
        try:
            self._link.use(self._config.mqtt)
        except AttuneError as error:
            self._missing("mqtt", error)

    def _start_brain(self, store: Store) -> None:
        config, kept = self._config, self._kept
        listeners = known_listeners(config, kept, store.moments(), self._models())
        mutes = as_kept(kept, {"camera": config.camera.consent, "microphone": config.microphone.consent})
        for device, sense in mutes.senses.items():
            self._switches[device].turn(sense.closed)
        brain = make_brain(config, listeners, _last_decision(store), mutes, self._settle)
        self._tell_settings(config, listeners.present, mutes)

        def think(worker: Worker) -> None:
            while not worker.stopping.is_set():
                worker.beat()
                message = self._inbox.get(TURN_S)
                for out in brain.step(message) if message is not None else ():
                    self._pass_on(out)

        self._work("brain", think, required=True)
        self._work("clock", clock(self._inbox.put), required=True)

    def _models(self) -> dict[str, ModelSpec]:
        try:
            return specs(self._config)
        except ModelError:  # which every sense tells on its own
            return {}

    def _start_music(self, store: Store) -> None:
        def settings() -> Music:
            return self._config.music

        music, url = settings(), database_url(self._config)
        rng = random.Random(music.seed or None)
        self._start_spotify()
        taste = self._taste = Taste(lambda emotion: genres_for(emotion, settings().genres), music.seed or None)
        stock = Stock(url, settings, lambda: rules_of(self._config)[0], taste, self._spotify)
        sources = Sources(stock, rng)
        dj = Dj(sources.all, settings, rng, taste, stock.heard)
        covers = self._covers = Covers(music_folder(self._config), partial(fetch_picture, self._config.spotify))
        self._sinks += [dj, taste, covers]
        self._start_library()
        self._work("learning", lambda worker: self._tend(taste, store, worker))
        self._work("dj", closing(serve(lambda: dj, self._decisions, self._inbox.put), sources.close))
        self._desk = MusicDesk(stock, covers.note)
        for name, body in self._desk.bodies.items():
            self._work(name, body)
        self._work("covers", covers.work)
        self._start_player()

    def _start_library(self) -> None:
        self._end("demo library")
        if self._covers:
            self._covers.look_in(music_folder(self._config))
        if not self._config.music.folder:
            self._work("demo library", self._compose)
        self._work("library", keep_up(database_url(self._config), music_folder(self._config)))

    def _start_player(self) -> None:
        self._work("player", self._play)

    def _start_spotify(self) -> None:
        """There is always a session, so that an account can be connected first; it is used where it is the player."""
        settings, state = self._config.spotify, state_folder(self._config)
        session = self._spotify = self._spotify or Session(settings, state, _utc)
        session.settings = settings
        was_used = self._end("spotify", "spotify receiver")
        if not uses_spotify(self._config.music):
            if was_used:
                self._tell(Health(time.monotonic(), "spotify", "works", "not used: another player is chosen"))
            return
        self._work("spotify", watch(session, self._tell))
        if settings.receiver == "auto" and address_of(settings):
            self._work("spotify receiver", receive(settings, state / "go-librespot"))

    def _start_senses(self) -> None:
        self._start_face()
        self._start_voice()
        self._work("text", serve(lambda: open_text(self._config), self._sentences, self._estimated))
        if not self._demo:
            self._start_camera()
            self._start_microphone()
            return
        recording = Recording([DEMO_RECORDING], rate_fps=self._config.camera.rate_fps, tell=log.warning)
        self._work("words", pump(recording.sentences(), Switch(), self._sentences.put, self._tell))
        self._see_by(recording.pictures())
        self._hear_by(recording.sound())

    def _start_face(self) -> None:
        self._work("face", serve(lambda: open_face(self._config), self._pictures, self._estimated))

    def _start_voice(self) -> None:
        self._work("voice", serve(self._open_voice, self._sounds, self._estimated))

    def _start_camera(self) -> None:
        self._see_by(open_camera(self._config.camera))

    def _start_microphone(self) -> None:
        self._hear_by(open_microphone(self._config.microphone))

    def _see_by(self, camera: Sensor) -> None:
        self._work("camera", pump(camera, self._switches["camera"], self._saw, self._tell))

    def _hear_by(self, microphone: Sensor) -> None:
        self._work("microphone", pump(microphone, self._switches["microphone"], self._heard, self._tell))

    def _start_page(self, store: Store) -> None:
        if not self._config.web.enabled:
            return
        settings, url = self._config.web, database_url(self._config)
        self._work("judge", self._judge.work)
        room = Room(
            self.board,
            self._inbox.put,
            time.monotonic,
            _utc,
            lambda: self._config,
            store,
            Accounts(store, time.monotonic, _utc),
            self._judge,
            self._preview,
            self._desk,
            covers=self._covers,
            tracks=lambda: Tracks(url, keys_of),
            editing=Editor(url),
            lyrics=self._start_lyrics(),
            spotify=self._spotify,
            zone=lambda: tick().zone,
            cameras=cameras,
            microphones=microphones,
            vitals=self._vitals,
        )

        def show(worker: Worker) -> None:
            identity = identity_of(settings, state_folder(self._config), room.utc)
            server = serve_page(create_app(room), settings.host, settings.port, identity)
            try:
                worker.works(server.address)
                told = False
                while not worker.stopping.wait(TURN_S):
                    worker.beat()
                    told = told or announce(room.setup_token, room.accounts, server.address, sys.stderr)
            finally:
                server.stop()

        self._work("page", show)

    def _start_lyrics(self) -> Callable[[str], Future[JudgedLyrics]]:
        """Who judges the words of songs: opens the models for the first one, beside those that hear the room."""
        desk: Desk[Callable[[], LyricsPath]] = Desk()
        self._work("lyrics", attend(lambda: cache(lambda: open_lyrics(self._config)), desk))
        return lambda words: desk.ask(lambda opened: opened().judge(words))

    def _compose(self, worker: Worker) -> None:
        """In a process of its own: the composer's arrays would stay in our memory for good."""
        command = ["nice", sys.executable, "-m", "device.music.demo", str(music_folder(self._config))]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            while child.poll() is None and not worker.stopping.wait(TURN_S):
                worker.beat()
            child.terminate()
        if child.returncode > 0:
            raise PlayerError("the demo pieces were not composed; `attune library demo` tells why")

    def _tend(self, taste: Taste, store: Store, worker: Worker) -> None:
        """Taste is what the kept reactions say; then its decision trees are grown from time to time."""
        taste.rebuild(reversed(store.reactions()))
        worker.works()
        while not worker.stopping.wait(TURN_S):
            worker.beat()
            if self._erased.is_set() and not store.erasing:
                self._erased.clear()
                taste.rebuild(reversed(store.reactions()))
            try:
                taste.tend()
            except TreeError as error:  # taste goes on without the tree
                log.warning("%s", error)
                self._tell(Health(time.monotonic(), "learning", "degraded", str(error)))

    def _open_voice(self) -> Callable[[Sound], Iterable[Estimate]]:
        voice = open_voice(self._config)

        def hear(sound: Sound) -> Iterable[Estimate]:
            voice.control(self._playback)
            return voice(sound)

        return hear

    def _play(self, worker: Worker) -> None:
        session = self._spotify if uses_spotify(self._config.music) else None
        player, note = open_player(self._config, session, self._inbox.put, self._decide_again)
        worker.works(note)
        obeyed = True
        try:
            while not worker.stopping.is_set():
                worker.beat()
                if order := self._orders.get(TURN_S):
                    refused_before, obeyed = not obeyed, self._obeyed(player, order)
                    if refused_before and obeyed:
                        worker.works(note)
                advance(player, time.monotonic())
        finally:
            player.close()

    def _decide_again(self) -> None:
        if self._decided:
            self._decisions.put(self._decided)

    # -- messages ------------------------------------------------------------------------------------------------------

    def _pass_on(self, out: Event | Control) -> None:
        if isinstance(out, Control):
            self._route(out)
            return
        if isinstance(out, Setting):
            self._take(out.key, out.value)
        for sink in self._sinks:
            sink.offer(out if isinstance(sink, Store) else shown(out))
        if isinstance(out, Decision):
            self._decided = out
            self._decisions.put(out)

    def _route(self, control: Control) -> None:
        match control.target:
            case "player":
                self._orders.put(control)
            case "voice":
                self._playback = control
            case "text":
                self._sentences.put(control.value)
            case "store" if self._store and control.action == "keep":
                self._store.keep(control.value)
            case "store" if self._store and control.action == "unlabel":
                self._store.unlabel(control.value)
            case "store" if control.action == "erase":
                self._erase(control.value)
            case "store" if self._store and self._taste:
                self._store.forget(control.value)
                self._taste.forget(control.value)
            case "camera" | "microphone":
                self._switches[control.target].turn(control.value)
                for worker in self._workers:
                    if worker.name == control.target:
                        worker.nudge()

    def _erase(self, span: Span) -> None:
        """Of what people want erased the store keeps nothing, nor the board and the broker what is newest."""
        if self._store:
            self._store.erase(span)
            self._erased.set()
        self.board.forget()
        self._link.forget()

    def _obeyed(self, player: Player, order: Control) -> bool:
        try:
            obey(player, order)
        except PlayerError as error:
            log.warning("player: %s", error)
            self._tell(Health(time.monotonic(), "player", "degraded", str(error)))
            return False
        return True

    def _saw(self, image: Image) -> None:
        self._pictures.put(image)
        self._preview.see(image)

    def _heard(self, sound: Sound) -> None:
        self._sounds.put(sound)
        self._preview.hear(sound)

    def _estimated(self, estimate: Estimate) -> None:
        self._inbox.put(estimate)
        self._link.diagnose(estimate)

    def _tell(self, health: Health) -> None:
        self._inbox.put(health)

    def _settle(self, key: str, text: str) -> tuple[policy.Rules, fusion.Rules] | None:
        """Take a setting that people change, over those of the file; None where it cannot be that."""
        try:
            changed(self._config, key, text)
        except ConfigError as error:
            log.warning("settings: %s", error)
            return None
        return rules_of(with_kept(self._given, {**self._kept, key: text}))

    def _take(self, key: str, text: str) -> None:
        self._kept = {**self._kept, key: text}
        self._config = with_kept(self._given, self._kept)

    def _tell_settings(self, config: Config, listener: str, mutes: Mutes) -> None:
        now = time.monotonic()
        settings = {
            "strategy": config.policy.strategy,
            "sense": config.fusion.sense,
            "volume": str(config.policy.volume_pct),
            "listener": listener,
            "learn_from_everyone": "on" if config.listeners.learn_from_everyone else "off",
        }
        settings |= {f"consent.{device}": "on" if sense.agreed else "off" for device, sense in mutes.senses.items()}
        settings |= {device: "on" if sense.on else "off" for device, sense in mutes.senses.items()}
        for key, value in settings.items():
            for sink in self._sinks:
                if not isinstance(sink, Store):  # kept, a default would outlive its change in config.toml
                    sink.offer(Setting(now, key, value))

    def _missing(self, part: str, error: AttuneError) -> None:
        log.warning("%s: %s", part, error)
        self._tell(Health(time.monotonic(), part, "missing", str(error)))

    def _work(self, name: str, body: Body, required: bool = False) -> None:
        """Start a worker; one of that name ends first."""
        self._end(name)
        worker = Worker(name, body, self._tell, required)
        self._workers = [*self._workers, worker]  # never the list that the watchdog walks
        worker.start()

    def _end(self, *names: str) -> bool:
        """Whether there were such workers, which have ended then."""
        ending = [worker for worker in self._workers if worker.name in names]
        for worker in ending:
            worker.stop()
        late = [worker.name for worker in ending if not worker.join(STOP_S)]
        if late:
            log.warning("did not end in time: %s", ", ".join(late))
        self._workers = [worker for worker in self._workers if worker not in ending]
        return bool(ending)

    def _vitals(self) -> Vitals:
        strain = look(THERMAL, throttled_bits())
        lost = {
            "pictures": self._pictures.lost,
            "sounds": self._sounds.lost,
            "sentences": self._sentences.lost,
            "estimates": self._inbox.coalesced,
            "events": self._store.lost if self._store else 0,
            "messages": self._link.lost,
        }
        up_s = time.monotonic() - self._started_at
        return Vitals(strain.hottest_c, strain.trouble, rss_mb(), free_gb(state_folder(self._config)), up_s, lost)

    def _where(self) -> str:
        web = self._config.web
        page = f"page at {page_address(web.host, web.port, web.https)}" if web.enabled else "no page"
        return f"{page}; moods at attune/{self._config.mqtt.device}/state"


def _utc() -> datetime:
    return tick().utc


def _last_decision(store: Store) -> Decision | None:
    try:
        return next(iter(store.decisions(limit=1)), None)
    except StoreError:  # the store itself tells why
        return None
