"""The Spotify player on speakers of the made-up Spotify and on a made-up go-librespot: what plays, and failures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from device.player import spotify, spotify_speaker
from device.player.either import Either
from device.player.librespot import Librespot
from device.player.silent import SilentPlayer
from device.player.spotify import SpotifyPlayer
from device.player.spotify_speaker import ConnectSpeaker, LocalSpeaker, Speakers
from device.signals import PlayerError, PlayerState, Queue, Track
from device.spotify import Session, SpotifyError
from tests.fakes.librespot import LibrespotServer
from tests.fakes.librespot_player import Song
from tests.fakes.spotify import Clock, SpotifyServer, State
from tests.fakes.spotify.catalogue import from_rows
from tests.player.conftest import DECIDED, Diary, until
from tests.spotify.house import connected

LONG_MS, SHORT_MS = 200_000, 700


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[SpotifyServer]:
    lengths = (LONG_MS, LONG_MS, LONG_MS, SHORT_MS, SHORT_MS, LONG_MS)
    rows = [
        {"name": f"Song {number}", "artist": "Nobody", "genres": ["pop"], "duration_ms": length}
        for number, length in enumerate(lengths)
    ]
    with SpotifyServer(State(clock, from_rows(rows), ("Living room", "Kitchen"))) as running:
        yield running


@pytest.fixture
def session(server: SpotifyServer, clock: Clock, tmp_path: Path) -> Session:
    return connected(server, clock, tmp_path, speaker="Kitchen")


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def player(session: Session, diary: Diary, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpotifyPlayer]:
    monkeypatch.setattr(spotify, "LOOK_S", 0.1)
    monkeypatch.setattr(spotify, "LOOK_AGAIN_S", 0.1)
    made = SpotifyPlayer(ConnectSpeaker(session, time.monotonic), session, diary)
    yield made
    made.close()


def queue(server: SpotifyServer, *places: int, volume_pct: int | None = None) -> Queue:
    chosen = [server.state.catalogue.tracks[place] for place in places]
    tracks = tuple(
        Track(one.uri, one.name, one.artist.name, "pop", duration_s=one.duration_ms / 1000, source="spotify")
        for one in chosen
    )
    return Queue(time.monotonic(), tracks, "a test", volume_pct, context=DECIDED)


def heard(server: SpotifyServer) -> tuple[str, str]:
    with server.state.lock:
        playing, device = server.state.playing, server.state.player.active
        return (playing.name if playing else "", device.name if device else "")


# -- what plays --------------------------------------------------------------------------------------------------------


def test_a_queue_plays_on_the_named_speaker_with_few_requests(
    player: SpotifyPlayer, server: SpotifyServer, diary: Diary
) -> None:
    player.play(queue(server, 0, 1, volume_pct=35))
    assert heard(server) == ("Song 0", "Kitchen")
    state = diary.playing("Song 0")
    assert (state.volume_pct, state.device, state.chosen_by) == (35, "Kitchen", "attune")
    until(lambda: len(server.state.requests("GET /v1/me/player")) == 2)  # the devices, and one look
    time.sleep(0.5)
    asked = [f"{seen.method} {seen.path}" for seen in server.state.requests("/v1/me/player")]
    assert asked == [
        "GET /v1/me/player/devices",
        "PUT /v1/me/player/play",
        "PUT /v1/me/player/volume",
        "GET /v1/me/player",
    ]


def test_timers_tell_when_tracks_end_and_nothing_is_polled(
    player: SpotifyPlayer, server: SpotifyServer, diary: Diary
) -> None:
    player.play(queue(server, 3, 4, 3))
    diary.playing("Song 4")
    asked = len(server.state.requests("GET /v1/me/player"))
    diary.wait_for(lambda state: state.status == "stopped")
    assert len(server.state.requests("GET /v1/me/player")) == asked
    titles = [title for title, _ in groupby(state.track.title for state in diary.states if state.track)]
    assert titles == ["Song 3", "Song 4", "Song 3"]


def test_pause_resume_next_and_the_end(player: SpotifyPlayer, server: SpotifyServer, diary: Diary) -> None:
    player.play(queue(server, 0, 1))
    player.pause()
    assert heard(server) == ("", "Kitchen")
    assert diary.states[-1].status == "paused"
    player.pause()
    player.resume()
    assert heard(server)[0] == "Song 0"
    player.next()
    assert heard(server)[0] == "Song 1"
    diary.playing("Song 1")
    player.next()
    assert heard(server)[0] == ""
    diary.wait_for(lambda state: state.status == "stopped")
    player.next()


def test_a_track_that_comes_twice_is_the_one_of_its_turn(
    player: SpotifyPlayer, server: SpotifyServer, diary: Diary
) -> None:
    player.play(queue(server, 0, 1, 0))
    player.next()
    player.next()
    asked = len(server.state.requests("GET /v1/me/player"))
    until(lambda: len(server.state.requests("GET /v1/me/player")) > asked)
    player.next()
    diary.wait_for(lambda state: state.status == "stopped")


def test_the_volume_is_set_and_a_speaker_without_one_plays_all_the_same(
    player: SpotifyPlayer, server: SpotifyServer, session: Session, diary: Diary
) -> None:
    for _ in range(2):
        player.play(queue(server, 0, volume_pct=35))
    assert len(server.state.requests("/volume")) == 1
    player.set_volume(130)
    diary.wait_for(lambda state: state.volume_pct == 100)
    server.state.add_device("Television", volume_fixed=True)
    session.choose("Television")
    player.play(queue(server, 1, volume_pct=20))
    assert heard(server) == ("Song 1", "Television")


def test_shuffle_and_repeat_are_turned_off_for_they_break_our_order(
    player: SpotifyPlayer, server: SpotifyServer
) -> None:
    with server.state.lock:
        server.state.player.shuffle, server.state.player.repeat = True, "track"
    player.play(queue(server, 0, 1, 2))
    until(lambda: not server.state.player.shuffle and server.state.player.repeat == "off")


def test_a_queue_is_kept_as_a_playlist_and_ours_of_the_name_is_replaced(
    player: SpotifyPlayer, server: SpotifyServer
) -> None:
    theirs = server.state.account.shelf.create("Evening")
    with pytest.raises(PlayerError, match="nothing of Spotify is queued"):
        player.save("Evening")
    player.play(queue(server, 0, 1))
    player.save("Evening")
    player.play(queue(server, 2))
    player.save("Evening")
    kept = [one for one in server.state.account.shelf.playlists if one.name == "Evening"]
    assert [len(one.rows) for one in kept] == [1, 0]
    assert not kept[0].public
    assert kept[1] is theirs


def test_what_a_listener_chooses_is_told_and_left_alone(
    player: SpotifyPlayer, server: SpotifyServer, diary: Diary
) -> None:
    player.play(queue(server, 0, 1))
    diary.playing("Song 0")
    with server.state.lock:
        device = server.state.player.active
        server.state.player.play(device.id, [server.state.catalogue.tracks[5]])
    player.set_volume(30)
    state = diary.playing("Song 5")
    assert state.chosen_by == "listener"
    player.play(queue(server, 2))
    assert diary.playing("Song 2").chosen_by == "attune"


def test_a_queue_that_a_person_chose_is_told_as_theirs_until_it_ends(
    player: SpotifyPlayer, server: SpotifyServer, diary: Diary
) -> None:
    player.play(replace(queue(server, 3, 4), context=None))
    diary.wait_for(lambda state: state.status == "stopped")
    assert {(state.status, state.chosen_by) for state in diary.states if state.track} == {("playing", "listener")}
    assert diary.states[-1].chosen_by == "attune"
    player.play(queue(server, 2))
    assert diary.playing("Song 2").chosen_by == "attune"


# -- speakers ----------------------------------------------------------------------------------------------------------


def test_a_speaker_with_a_new_id_is_found_by_its_name(player: SpotifyPlayer, server: SpotifyServer) -> None:
    player.play(queue(server, 0))
    server.state.remove_device("Kitchen")
    server.state.add_device("Kitchen")
    player.play(queue(server, 1))
    assert heard(server) == ("Song 1", "Kitchen")
    assert [seen.status for seen in server.state.seen if f"{seen.method} {seen.path}" == "PUT /v1/me/player"] == [204]


def test_after_a_pause_a_speaker_that_was_away_goes_on(
    player: SpotifyPlayer, server: SpotifyServer, clock: Clock
) -> None:
    player.play(queue(server, 0, 1))
    player.next()
    player.pause()
    server.state.remove_device("Kitchen")
    server.state.add_device("Kitchen")
    with server.state.lock:
        server.state.player._line = type(server.state.player._line)()  # it forgot what it played
    player.resume()
    assert heard(server) == ("Song 1", "Kitchen")


def test_a_speaker_that_is_away_is_told_and_used_again_when_back(
    player: SpotifyPlayer, server: SpotifyServer, session: Session, diary: Diary
) -> None:
    server.state.remove_device("Kitchen")
    with pytest.raises(SpotifyError, match=r"no speaker Kitchen \(it sees: Living room\): turn it on"):
        player.play(queue(server, 0))
    assert diary.states[-1].status == "failed"
    with pytest.raises(SpotifyError, match="not asked until"):
        session.check()
    server.state.add_device("Kitchen")
    session.wake()
    player.play(queue(server, 0))
    assert heard(server) == ("Song 0", "Kitchen")


def test_another_speaker_may_be_chosen_while_it_runs(
    player: SpotifyPlayer, server: SpotifyServer, session: Session
) -> None:
    player.play(queue(server, 0))
    session.choose("living ROOM ")
    player.play(queue(server, 1))
    assert heard(server) == ("Song 1", "Living room")


def test_without_a_name_one_of_several_must_be_chosen(server: SpotifyServer, clock: Clock, tmp_path: Path) -> None:
    made = connected(server, clock, tmp_path)
    speaker = ConnectSpeaker(made, time.monotonic)
    uris = [server.state.catalogue.tracks[0].uri]
    with pytest.raises(SpotifyError, match=r"several speakers or none \(Living room, Kitchen\)"):
        speaker.play(uris)
    server.state.remove_device("Kitchen")
    speaker.play(uris)
    assert heard(server) == ("Song 0", "Living room")
    server.state.add_device("Kitchen")
    ConnectSpeaker(made, time.monotonic).play(uris)  # the active one
    assert heard(server)[1] == "Living room"


def test_a_free_account_is_told(player: SpotifyPlayer, server: SpotifyServer, diary: Diary) -> None:
    server.state.set_premium(listener=False)
    with pytest.raises(SpotifyError, match="this account has no Premium"):
        player.play(queue(server, 0))
    assert diary.states[-1].status == "failed"


def test_a_speaker_that_takes_music_and_plays_none_is_given_up(
    player: SpotifyPlayer, server: SpotifyServer, diary: Diary
) -> None:
    player.play(queue(server, 0))
    with server.state.lock:
        server.state.player.pause(None)
    state = diary.wait_for(lambda state: state.status == "failed")
    assert state.track is None


# -- the local library takes over --------------------------------------------------------------------------------------


class House:
    """Either player; what the local one is given."""

    def __init__(self, session: Session) -> None:
        self.diary = Diary()
        self.asked_again = 0
        self.either = Either(
            lambda tell: SpotifyPlayer(ConnectSpeaker(session, time.monotonic), session, tell),
            lambda tell: SilentPlayer(tell, time.monotonic),
            self.diary,
            self._again,
        )

    def _again(self) -> None:
        self.asked_again += 1

    @property
    def last(self) -> PlayerState:
        return self.diary.states[-1]


LOCAL = Queue(0.0, (Track("here.ogg", "Here", source="folder", duration_s=100.0),), "a test", 40)


@pytest.fixture
def house(session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(spotify, "LOOK_S", 0.1)
    made = House(session)
    yield made
    made.either.close()


def test_one_of_two_players_sounds_at_a_time(house: House, server: SpotifyServer) -> None:
    house.either.play(LOCAL)
    assert house.last.track.title == "Here"
    house.either.play(queue(server, 0))
    assert (house.last.track.title, heard(server)[0]) == ("Song 0", "Song 0")
    house.either.play(LOCAL)
    assert (house.last.track.title, heard(server)[0]) == ("Here", "")
    house.either.next()
    assert house.last.status == "stopped"


def test_a_failure_of_spotify_asks_for_local_music(house: House, server: SpotifyServer) -> None:
    server.state.remove_device("Kitchen")
    with pytest.raises(PlayerError):
        house.either.play(queue(server, 0))
    assert (house.asked_again, house.last.status) == (1, "failed")
    house.either.play(LOCAL)
    assert house.last.track.title == "Here"


def test_nothing_begins_over_a_spotify_that_plays_on_and_takes_no_order(house: House, server: SpotifyServer) -> None:
    house.either.play(queue(server, 3, 3, 3))
    until(lambda: bool(server.state.requests("GET /v1/me/player", 200)[1:]))
    server.state.limits.spend(3600)
    with pytest.raises(PlayerError, match="plays its queue to the end"):
        house.either.play(LOCAL)
    assert house.last.track.title == "Song 3"
    assert house.asked_again == 0
    house.diary.wait_for(lambda state: state.status == "stopped", after=house.diary.mark())
    house.either.play(LOCAL)
    assert house.last.track.title == "Here"


# -- the receiver on this box ------------------------------------------------------------------------------------------

RAIN = Song("spotify:track:rain", "Rain", duration_ms=LONG_MS)
SNOW = Song("spotify:track:snow", "Snow", duration_ms=LONG_MS)
HAIL = Song("spotify:track:hail", "Hail", duration_ms=SHORT_MS)
WEATHER = tuple(
    Track(song.uri, song.name, "Nobody", "ambient", duration_s=song.duration_ms / 1000, source="spotify")
    for song in (RAIN, SNOW, HAIL)
)


@pytest.fixture
def receiver() -> Iterator[LibrespotServer]:
    with LibrespotServer(songs=(RAIN, SNOW, HAIL), autoplay=False) as running:
        yield running


@pytest.fixture
def box(
    receiver: LibrespotServer, session: Session, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SpotifyPlayer]:
    monkeypatch.setattr(spotify, "LOOK_S", 0.1)
    monkeypatch.setattr(spotify, "LOOK_AGAIN_S", 0.1)
    made = SpotifyPlayer(LocalSpeaker(Librespot(receiver.address), "Attune"), session, diary)
    until(lambda: receiver.listeners == 1)
    yield made
    made.close()


def test_the_receiver_plays_without_a_request_to_spotify(
    box: SpotifyPlayer, receiver: LibrespotServer, server: SpotifyServer, diary: Diary
) -> None:
    asked = len(server.state.seen)
    box.play(Queue(0.0, WEATHER, "a test", 30))
    diary.playing("Rain")
    box.next()
    diary.playing("Snow")
    box.next()
    diary.playing("Hail")
    diary.wait_for(lambda state: state.status == "stopped")
    assert receiver.device()["volume_percent"] == 30
    assert len(server.state.seen) == asked


def test_what_people_do_in_their_app_is_told_at_once(
    box: SpotifyPlayer, receiver: LibrespotServer, diary: Diary
) -> None:
    box.play(Queue(0.0, WEATHER[:2], "a test"))
    diary.playing("Rain")
    receiver.play_from_app(HAIL.uri)
    assert diary.playing("Hail").chosen_by == "listener"
    box.play(Queue(0.0, WEATHER[:2], "a test"))
    asked = len(receiver.requests)
    until(lambda: len(receiver.requests) > asked)  # it was looked at
    receiver.transfer_away()
    diary.wait_for(lambda state: state.status == "paused")


def test_people_change_between_the_box_and_a_speaker_while_it_runs(
    receiver: LibrespotServer, server: SpotifyServer, session: Session, clock: Clock, diary: Diary
) -> None:
    session.choose("Attune")
    speakers = Speakers(session, LocalSpeaker(Librespot(receiver.address), "Attune"), time.monotonic)
    player = SpotifyPlayer(speakers, session, diary)
    try:
        player.play(Queue(0.0, WEATHER, "a test"))
        assert diary.playing("Rain").device == "Attune"
        assert receiver.device()["is_active"]
        session.choose("Kitchen")
        player.play(queue(server, 0))
        assert diary.playing("Song 0").device == "Kitchen"
        assert heard(server) == ("Song 0", "Kitchen")
    finally:
        player.close()


def test_the_end_that_the_receiver_tells_is_no_pause(
    box: SpotifyPlayer, receiver: LibrespotServer, diary: Diary
) -> None:
    longer = replace(WEATHER[2], duration_s=60.0)  # than it is
    box.play(Queue(0.0, (longer,), "a test"))
    diary.playing("Hail")
    diary.wait_for(lambda state: state.status == "stopped")
    assert "paused" not in {state.status for state in diary.states}


def test_an_account_without_audio_keys_is_told(
    box: SpotifyPlayer, receiver: LibrespotServer, session: Session, diary: Diary
) -> None:
    receiver.refuse_audio_keys()
    with pytest.raises(PlayerError, match="December 2024"):
        box.play(Queue(0.0, WEATHER, "a test"))
    assert diary.states[-1].status == "failed"
    receiver.refuse_audio_keys(())
    session.wake()
    box.play(Queue(0.0, WEATHER, "a test"))
    diary.playing("Rain")


def test_a_receiver_that_dies_is_told_and_plays_again_when_back(
    box: SpotifyPlayer, receiver: LibrespotServer, diary: Diary
) -> None:
    box.play(Queue(0.0, WEATHER, "a test"))
    diary.playing("Rain")
    receiver.kill()
    diary.wait_for(lambda state: state.status == "failed")
    receiver.start()
    until(lambda: receiver.listeners == 1)
    box.play(Queue(0.0, WEATHER, "a test"))
    mark = diary.mark()
    box.next()
    diary.playing("Snow", mark)


def test_an_id_of_a_speaker_is_not_kept_for_ever(server: SpotifyServer, session: Session) -> None:
    now = [0.0]
    speaker = ConnectSpeaker(session, lambda: now[0])
    for _ in range(3):
        speaker.set_volume(30)
    assert len(server.state.requests("GET /v1/me/player/devices")) == 1
    now[0] += spotify_speaker.DEVICE_S
    speaker.set_volume(40)
    assert len(server.state.requests("GET /v1/me/player/devices")) == 2
