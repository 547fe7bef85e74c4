"""Every setting of Attune, its unit and its default; read from a TOML file and from nowhere else."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct, field

from device.settings import CHANGEABLE, clean
from device.signals import Aim, ConfigError, Emotion

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Seconds = Annotated[float, Meta(ge=0.0, le=86_400.0)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="a time of day, such as 22:30")]
SpotifyPlaylist = Annotated[
    str,
    Meta(
        pattern=r"^(spotify:playlist:|https://open\.spotify\.com/(intl-\w\w/)?playlist/)[0-9A-Za-z]+(\?\S*)?$",
        description="a link to a playlist of Spotify",
    ),
]


class Camera(Struct, frozen=True, forbid_unknown_fields=True):
    """What sees."""

    source: str = "auto"
    """auto (picamera2, else the first V4L2 device), none, picamera2, jetson, a V4L2 index or path, an rtsp:// or http:// address, a file, or a GStreamer string."""
    width: Annotated[int, Meta(ge=64, le=4096)] = 640
    """Pixels."""
    height: Annotated[int, Meta(ge=64, le=4096)] = 480
    """Pixels."""
    rate_fps: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """Pictures a second that are judged at most."""
    consent: bool = False
    """Whether those who live here agree that it looks, where nobody agrees on the page; without, a camera stays closed."""


class Microphone(Struct, frozen=True, forbid_unknown_fields=True):
    """What hears."""

    device: str = "auto"
    """auto (the system's default, behind an echo canceller where there is one), none, a part of a device's name, its index, or pulse: and the name of a source of PulseAudio or PipeWire."""
    rate_hz: Annotated[int, Meta(ge=8_000, le=48_000)] = 16_000
    """Samples a second that the models get; the device's own rate is converted."""
    consent: bool = False
    """Whether those who live here agree that it listens, where nobody agrees on the page; without, it stays closed."""


class Face(Struct, frozen=True, forbid_unknown_fields=True):
    """How faces are found."""

    detector: Literal["auto", "mediapipe", "yunet"] = "auto"
    """auto takes YuNet where set-up has fetched it, else MediaPipe's full-range detector."""
    most: Annotated[int, Meta(ge=1, le=5)] = 5
    """Faces that are followed at most."""
    search_every_s: Seconds = 0.5
    """Seconds between two searches of the whole picture; between them known faces are followed."""


class Voice(Struct, frozen=True, forbid_unknown_fields=True):
    """How speech is cut."""

    threshold: Share = 0.5
    """Probability of speech from which a moment counts as speech."""
    shortest_s: Seconds = 1.0
    """Seconds of speech that make an utterance."""
    longest_s: Seconds = 6.0
    """Seconds after which a running utterance is cut."""


class Fusion(Struct, frozen=True, forbid_unknown_fields=True):
    """How estimates become a mood."""

    sense: Literal["all", "face", "voice", "text"] = "all"
    """Which senses count."""
    face_half_life_s: Seconds = 1.5
    """Seconds after which what a face said counts half."""
    voice_half_life_s: Seconds = 5.0
    """Seconds after which what a voice said counts half."""
    text_half_life_s: Seconds = 8.0
    """Seconds after which what words said counts half."""
    body_half_life_s: Seconds = 20.0
    """Seconds after which what a pulse said counts half."""
    hold_s: Seconds = 1.0
    """Seconds for which another mood must lead before it becomes the mood."""
    least_confidence: Share = 0.42
    """Score of the leading emotion under which the mood is unclear."""
    least_margin: Share = 0.08
    """Lead over the second emotion under which the mood is unclear, unless it held before."""


class Listeners(Struct, frozen=True, forbid_unknown_fields=True):
    """What listeners teach."""

    learn_from_everyone: bool = False
    """Whether the moments that all listeners labelled correct together what is sensed of whoever is here."""
    here_s: Seconds = 14_400.0
    """Seconds after which who said "I am here" no longer counts as the one who listens."""


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """When the music changes."""

    strategy: Aim = "match"
    """match plays what fits the mood, calm leads to a calmer one, lift to a better one; auto: what the listener likes best."""
    strategies: dict[Emotion, Aim] = field(default_factory=dict)
    """Strategy for an emotion, in place of the one for all: angry = "calm"."""
    dwell_s: Seconds = 8.0
    """Seconds for which a mood must last before the music follows it."""
    cooldown_s: Seconds = 45.0
    """Seconds between two changes of the music."""
    quiet_from: TimeOfDay = "22:30"
    """Local time from which the music does not change by itself."""
    quiet_until: TimeOfDay = "07:00"
    """Local time until which the music does not change by itself; equal to quiet_from for no quiet hours."""
    volume_pct: Percent = 40
    """Volume at which Attune starts to play."""


class Music(Struct, frozen=True, forbid_unknown_fields=True):
    """What is played, and where."""

    player: Literal["auto", "mpd", "spotify", "silent"] = "auto"
    """auto plays by MPD where it is installed, else says what it would play; spotify by Spotify and, where that cannot, as auto."""
    folder: str = ""
    """Folder of audio files; empty for the pieces that come with Attune."""
    mpd_address: str = ""
    """host:port or socket path of an MPD of yours; empty for a private one."""
    output: Literal["auto", "alsa", "pulse", "null", "fifo"] = "auto"
    """Where the private MPD plays; auto takes a sound card where there is one, else null."""
    fifo: str = ""
    """Path of the named pipe for output fifo (44,100 Hz, 16 bit, stereo)."""
    crossfade_s: Annotated[int, Meta(ge=0, le=20)] = 2
    """Seconds for which MPD plays the end of a track over the beginning of the next; 0 for none."""
    replay_gain: Literal["off", "track", "album", "auto"] = "auto"
    """Which ReplayGain tags even out the loudness of files in MPD; auto takes album, or track when it shuffles."""
    quietest_pct: Percent = 0
    """Volume below which Attune does not set a player."""
    loudest_pct: Percent = 100
    """Volume above which Attune does not set a player; when another program does, it is brought back."""
    queue_length: Annotated[int, Meta(ge=1, le=100)] = 6
    """Tracks that a decision queues."""
    seed: int = 0
    """Seed of the choice among the best tracks; 0 takes a new one at each start, a replay always uses 1."""
    genres: dict[Emotion, list[str]] = field(default_factory=dict)
    """Genres for an emotion, in place of the built-in table's row."""

    def __post_init__(self) -> None:
        if self.quietest_pct > self.loudest_pct:
            raise ValueError(f"quietest_pct {self.quietest_pct} is above loudest_pct {self.loudest_pct}")

    def within_limits(self, volume_pct: int) -> int:
        """The volume that is allowed and nearest to one that is wanted."""
        return min(self.loudest_pct, max(self.quietest_pct, volume_pct))


class Spotify(Struct, frozen=True, forbid_unknown_fields=True):
    """Music from Spotify, for [music] player = "spotify"; docs/spotify.md says how to set it up."""

    client_id: Annotated[str, Meta(pattern=r"^([0-9a-zA-Z]{10,64})?$")] = ""
    """Client ID of an app of your own at developer.spotify.com/dashboard; may be given on the page instead."""
    redirect: Annotated[str, Meta(pattern=r"^(https://[^/]+|http://(127\.0\.0\.1|\[::1\])(:\d+)?)/\S*$")] = (
        "http://127.0.0.1:8765/spotify/back"
    )
    """Redirect address, as the dashboard of the app has it: https, or http to 127.0.0.1 or [::1]; localhost is refused by Spotify."""
    speaker: str = ""
    """Name of the speaker, as Spotify's apps show it; empty for the receiver of this box, else the only one there is."""
    receiver: str = "auto"
    """auto (starts go-librespot where it is installed), none, or host:port of a go-librespot that runs already."""
    receiver_name: str = "Attune"
    """Name of this box as a speaker in Spotify's apps."""
    playlists: dict[Emotion, SpotifyPlaylist] = field(default_factory=dict)
    """Playlists of your own, as link or uri, for an emotion in place of a search by its genres."""
    requests_per_day: Annotated[int, Meta(ge=1, le=10_000)] = 300
    """Requests to Spotify in a day (UTC) at most: it answers apps of one's own about a thousand, and then none for hours."""
    market: Annotated[str, Meta(pattern=r"^([A-Z]{2})?$", description="a country in two letters, such as DE")] = ""
    """Country whose music is searched, by two letters; empty for that of the account."""
    api: str = "https://api.spotify.com/v1/"
    """Address of the Web API."""
    accounts: str = "https://accounts.spotify.com/"
    """Address of the accounts service."""


class Mqtt(Struct, frozen=True, forbid_unknown_fields=True):
    """Where moods are published."""

    url: str = ""
    """mqtt://[user:password@]host[:port] or mqtts://...; empty for the embedded broker."""
    device: Annotated[
        str, Meta(pattern=r"^[a-z0-9_-]{1,32}$", description="1 to 32 small letters, digits, _ and -")
    ] = "livingroom"
    """Name of this device in topics: attune/<device>/..."""
    embedded: bool = True
    """Whether a broker on the loopback address is started when no url is given."""
    embedded_port: Port = 1883
    """Port of the embedded broker; another free one is taken, and said, when it is busy."""
    queue_length: Annotated[int, Meta(ge=1, le=10_000)] = 200
    """Messages that wait for an absent broker at most; the oldest are lost first."""
    estimates: bool = False
    """Whether single estimates are published too, for diagnosis."""


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    """The page."""

    host: Annotated[str, Meta(pattern=r"^[0-9a-zA-Z.:-]{1,253}$")] = "0.0.0.0"
    """Address that the page listens on; 0.0.0.0 for every one of this machine, 127.0.0.1 for this machine alone."""
    port: Port = 8765
    """Port of the page."""
    https: bool = False
    """Whether the page is served over https, with a certificate that Attune makes and signs itself."""
    names: list[str] = field(default_factory=list)
    """Further names by which browsers reach the page, beside the machine's own, name.local and its addresses."""
    enabled: bool = True
    """Whether there is a page."""
    registration: bool = False
    """Whether people may make themselves accounts without an invitation."""


class Store(Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept."""

    url: str = ""
    """Database address; empty for attune.db in the state folder."""
    keep_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    """Days after which moods and decisions are erased."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings."""

    state: str = ""
    """Folder for what Attune keeps; empty for $STATE_DIRECTORY (systemd) or ~/.local/state/attune."""
    models: str = ""
    """Folder of the models; empty for the one that comes with Attune."""
    camera: Camera = Camera()
    microphone: Microphone = Microphone()
    face: Face = Face()
    voice: Voice = Voice()
    fusion: Fusion = Fusion()
    listeners: Listeners = Listeners()
    policy: Policy = Policy()
    music: Music = Music()
    spotify: Spotify = Spotify()
    mqtt: Mqtt = Mqtt()
    web: Web = Web()
    store: Store = Store()


_HARMLESS = (
    msgspec.inspect.BoolType,
    msgspec.inspect.IntType,
    msgspec.inspect.FloatType,
    msgspec.inspect.LiteralType,
)
"""Types of settings that can hold nothing private."""


def load(path: Path | None) -> Config:
    """Settings from a TOML file over the defaults; None for the defaults. Raises ConfigError naming file and remedy."""
    if path is None:
        return Config()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `attune config init {path}` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    try:
        return convert(data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def convert(data: dict[str, Any]) -> Config:
    """Settings from nested dictionaries; raises ConfigError with the nearest known name for an unknown one."""
    try:
        return msgspec.convert(data, Config, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error))) from None


def changed(config: Config, key: str, text: str) -> Config:
    """The settings with one of them as people want it, "" for as it is in `config`.

    `key` is that of settings.CHANGEABLE, such as policy.dwell_s, music.player or music.genres.angry; `text` is a number,
    on or off, one of the words that the setting takes, or for genres their names with commas between them. Raises
    ConfigError in words for the person who asked, which do not repeat the text: it may hold a password.
    """
    if key not in CHANGEABLE:
        raise ConfigError(_explain_key(key))
    text = clean(text)
    if not text:
        return config
    try:
        CHANGEABLE[key].check(text)
        return _with(config, key.partition(".")[0], {key: text})
    except ValueError as error:  # a ConfigError, or what a part says of settings that do not go together
        raise ConfigError(f"{key}: {error}") from None


def with_changes(config: Config, kept: Mapping[str, str]) -> Config:
    """The settings under those that people changed, by key as in `changed`; what does not fit any more counts for nothing.

    Those of a part are taken together, and one by one where they do not go together.
    """
    for part, items in _usable(kept).items():
        try:
            config = _with(config, part, items)
        except ValueError:
            for key, text in items.items():
                with contextlib.suppress(ConfigError):
                    config = changed(config, key, text)
    return config


def text_of(config: Config, key: str) -> str:
    """The setting of that key as `changed` takes it; "" for a row of a table that nobody has set."""
    part, name, row = _split(key)
    value = getattr(getattr(config, part), name)
    value = value.get(row, "") if row else value
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)


def limits_of(key: str) -> tuple[float, float]:
    """The least and the most that a number may be; a most or least that it may not quite be counts as one."""
    part, name, _ = _split(key)
    kind = msgspec.inspect.type_info(_type_of(type(getattr(Config(), part)), name, is_row=False))
    if not isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        raise ConfigError(f"{key} is no number")
    least = kind.ge if kind.ge is not None else kind.gt
    if least is None or kind.le is None:
        raise ConfigError(f"{key} has no limits")
    return least, kind.le


def without_texts(config: Config) -> dict[str, str]:
    """Every setting by its key, for a report: numbers, switches and words of a list as they are, texts as "set" or ""."""
    told: dict[str, str] = {}
    for key in _all_keys():
        part, name, _ = _split(key)
        struct = getattr(config, part)
        value = getattr(struct, name) if name else struct
        kind = msgspec.inspect.type_info(_type_of(type(struct), name, is_row=False)) if name else None
        is_text = kind is None or not isinstance(kind, _HARMLESS)
        told[key] = ("set" if value else "") if is_text else str(value)
    return told


def state_folder(config: Config) -> Path:
    """The folder for what Attune keeps; it may not exist yet."""
    if config.state:
        return Path(config.state).expanduser()
    from_systemd = os.environ.get("STATE_DIRECTORY")
    return Path(from_systemd) if from_systemd else Path.home() / ".local" / "state" / "attune"


def runtime_folder() -> Path | None:
    """A folder in memory, of this user alone, that outlives the process but not the machine; None where there is none."""
    from_systemd, of_session = os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("XDG_RUNTIME_DIR")
    if from_systemd:
        return Path(from_systemd)
    return Path(of_session) / "attune" if of_session else None


def notify_socket() -> str | None:
    """Where systemd wants to be told how the service is; None where no systemd asks."""
    return os.environ.get("NOTIFY_SOCKET") or None


def watchdog_s() -> float | None:
    """Seconds within which systemd must hear of this process, else it restarts it; None where it does not watch."""
    watched, limit_us = os.environ.get("WATCHDOG_PID"), os.environ.get("WATCHDOG_USEC", "")
    is_ours = watched in (None, str(os.getpid()))
    return int(limit_us) / 1e6 if is_ours and limit_us.isdigit() and int(limit_us) else None


def models_folder(config: Config) -> Path:
    """The folder with manifest.toml."""
    return Path(config.models).expanduser() if config.models else Path(__file__).resolve().parent.parent / "models"


def known_names(struct: type[Struct]) -> tuple[str, ...]:
    """Names of the settings of one part."""
    return tuple(item.name for item in msgspec.structs.fields(struct))


def _usable(kept: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What may be changed and is not empty, by part."""
    parts: dict[str, dict[str, str]] = {}
    for key, text in kept.items():
        with contextlib.suppress(ConfigError):
            if key in CHANGEABLE and clean(text):
                CHANGEABLE[key].check(clean(text))
                parts.setdefault(key.partition(".")[0], {})[key] = clean(text)
    return parts


def _with(config: Config, part: str, items: Mapping[str, str]) -> Config:
    """The settings with some of one part; raises ValueError where a text or all of them together cannot be."""
    struct = getattr(config, part)
    values: dict[str, Any] = {}
    for key, text in items.items():
        _, name, row = _split(key)
        value = _converted(_type_of(type(struct), name, bool(row)), text)
        values[name] = {**values.get(name, getattr(struct, name)), row: value} if row else value
    return msgspec.structs.replace(config, **{part: msgspec.structs.replace(struct, **values)})


def _converted(wanted: Any, text: str) -> Any:
    given: Any = text
    if wanted is bool:
        given = {"on": True, "off": False}.get(text.lower(), text)
    elif wanted == list[str]:
        given = [name.strip() for name in text.split(",")]
    try:
        return msgspec.convert(given, wanted, strict=False)
    except msgspec.ValidationError:
        raise ConfigError(f"must be {_in_words(wanted)}") from None


def _in_words(wanted: Any) -> str:
    """What a setting may be, from its type."""
    kind = msgspec.inspect.type_info(wanted)
    if isinstance(kind, msgspec.inspect.Metadata):
        return str((kind.extra_json_schema or {})["description"])
    if isinstance(kind, msgspec.inspect.LiteralType):
        return f"one of {', '.join(map(str, get_args(wanted)))}"
    if isinstance(kind, msgspec.inspect.BoolType):
        return "on or off"
    if isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        number = "a whole number" if isinstance(kind, msgspec.inspect.IntType) else "a number"
        least = f"above {kind.gt:,g} and up to" if kind.gt is not None else f"from {kind.ge:,g} to"
        return f"{number} {least} {kind.le:,g}"
    return "text"


def _split(key: str) -> tuple[str, str, str]:
    """Part, name and row ("" for none) of a key."""
    part, name, row = (*key.split("."), "", "")[:3]
    return part, name, row


def _type_of(struct: type[Struct], name: str, is_row: bool) -> Any:
    found = next(item.type for item in msgspec.structs.fields(struct) if item.name == name)
    return get_args(found)[1] if is_row else found


def _all_keys() -> Iterator[str]:
    for part in msgspec.structs.fields(Config):
        if isinstance(part.type, type) and issubclass(part.type, Struct):
            yield from (f"{part.name}.{name}" for name in known_names(part.type))
        else:
            yield part.name


def _explain_key(key: str) -> str:
    if key in _all_keys():
        return f"{key} is set in config.toml only"
    near = difflib.get_close_matches(key, CHANGEABLE, n=1)
    here = [known for known in CHANGEABLE if known.startswith(f"{key.partition('.')[0]}.")] or CHANGEABLE
    hint = f"did you mean {near[0]}?" if near else f"these can be changed: {', '.join(here)}"
    return f"{clean(key)[:80]}: unknown setting; {hint}"


def _explain(message: str) -> str:
    unknown = re.search(r"unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?", message)
    if not unknown:
        return message.replace("`$.", "`")
    name, part = unknown.group(1), unknown.group(2) or ""
    known = _names_at(part)
    near = difflib.get_close_matches(name, known, n=1)
    where = f"[{part}] {name}" if part else name
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"{where}: unknown setting; {hint}"


def _names_at(part: str) -> tuple[str, ...]:
    for item in msgspec.structs.fields(Config):
        if item.name == part and isinstance(item.type, type) and issubclass(item.type, Struct):
            return known_names(item.type)
    return known_names(Config)
