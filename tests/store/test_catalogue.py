"""The table of tracks: what is put comes back, samples are fair and never scan, readers wait for no writer."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from device.signals import Reading, Track
from device.store import catalogue
from device.store.catalogue import PAGE, SHUFFLED, Entry, Page, Sought, Tracks
from device.store.database import upgrade
from device.store.tables import TRACKS


def keys_of(entry: Entry) -> Iterator[str]:
    yield "all"
    yield entry.track.genre


def entry(number: int, genre: str = "pop", **changes: object) -> Entry:
    track = Track(
        f"a/{number:05}.ogg", f"Song {number}", "Someone", genre, ("happy", "fun"), 61.5, 0.1, -0.2, 0.3, "folder"
    )
    reading = Reading(0.1, -0.2, 0.3, "somehow", "mood")
    return replace(Entry(track, "Album", "1-2", "", f"song{number % 7}", (reading,)), **changes)  # type: ignore[arg-type]


@pytest.fixture
def tracks(tmp_path: Path) -> Iterator[Tracks]:
    opened = Tracks(f"sqlite:///{tmp_path}/a.db", keys_of)
    yield opened
    opened.close()


def test_what_is_put_comes_back(tracks: Tracks) -> None:
    entries = [entry(number) for number in range(2 * PAGE + 3)]
    tracks.put(entries)
    assert list(tracks.entries()) == entries
    assert list(tracks.files()) == [(one.track.uri, "1-2") for one in entries]
    assert tracks.count() == {"folder": len(entries)}
    assert tracks.get(["a/00003.ogg", "none"]) == {"a/00003.ogg": entries[3]}
    assert len(tracks.of_songs(["song3"], files=True)) == len(entries[3::7])
    assert tracks.of_songs(["song3"], files=False) == {}
    assert [one.track.title for one in tracks.called("SONG 77", 2)] == ["Song 77", "Song 770"]
    assert tracks.called("%", 2) == []
    tracks.put([replace(entry(1), track=replace(entry(1).track, uri="u", title="Über Ö"))])
    assert [one.track.uri for one in tracks.called("Ö", 2)] == ["u"]


def test_what_is_put_again_takes_the_place_of_the_old(tracks: Tracks) -> None:
    tracks.put([entry(1), entry(2), entry(1, "rock")])
    tracks.put([entry(2, "jazz", stamp="")])
    assert {genre: len(tracks.sample([genre], 0, 9, 9)) for genre in ("all", "pop", "rock", "jazz")} == {
        "all": 2,
        "pop": 0,
        "rock": 1,
        "jazz": 1,
    }
    assert [uri for uri, _ in tracks.files()] == ["a/00001.ogg"]


def test_what_is_removed_is_found_no_more(tracks: Tracks) -> None:
    tracks.put([entry(1), entry(2)])
    tracks.remove(["a/00001.ogg", "none"])
    (left,) = tracks.tracks(tracks.sample(["all"], 0, 9, 9))
    assert left == entry(2).track
    tracks.remove(["a/00002.ogg"])
    assert (tracks.count(), tracks.sample(["all"], 0, 9, 9)) == ({}, [])


def test_samples_are_fair_go_round_and_keep_to_their_limits(tracks: Tracks) -> None:
    tracks.put([entry(number) for number in range(200)])
    counts: Counter[int] = Counter()
    for start in range(0, SHUFFLED, SHUFFLED // 400):
        found = tracks.sample(["all"], start, 20, 20)
        assert len(set(found)) == 20
        counts.update(found)
    assert len(counts) == 200
    assert len(tracks.sample(["pop", "all", "none"], 5, 20, 30)) == 30
    assert len(tracks.sample(["pop"], SHUFFLED - 1, 500, 500)) == 200


def test_a_sample_reads_a_range_of_the_index_alone(tracks: Tracks) -> None:
    tracks.put([entry(number) for number in range(10)])
    with tracks._database.transaction(reads=True) as connection:
        for statement in (catalogue._RANGE, catalogue._BEFORE):
            sql = str(statement.compile(connection.engine, compile_kwargs={"render_postcompile": True}))
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {sql.replace('?', '1')}")).all()
            assert [row[3].split(" (")[0] for row in plan] == ["SEARCH track_keys USING PRIMARY KEY"]


def test_who_reads_waits_for_no_writer(tracks: Tracks, tmp_path: Path) -> None:
    tracks.put([entry(1)])
    other = Tracks(f"sqlite:///{tmp_path}/a.db", keys_of)
    writes, read = threading.Event(), threading.Event()

    def write() -> None:
        writer = Tracks(f"sqlite:///{tmp_path}/a.db", keys_of)
        with writer._database.transaction() as connection:
            connection.execute(text("DELETE FROM tracks"))
            writes.set()
            assert read.wait(10.0)
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert writes.wait(10.0)
    assert other.count() == {"folder": 1}
    read.set()
    thread.join()
    assert other.count() == {}
    other.close()


def test_postgresql_would_take_the_index_of_files_and_the_order_of_uris() -> None:
    index = next(one for one in TRACKS.indexes if one.name == "ix_tracks_file")
    assert "WHERE stamp != ''" in str(CreateIndex(index).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    table = str(CreateTable(TRACKS).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert 'uri TEXT COLLATE "C" NOT NULL' in table


def titled(number: int, title: str, artist: str = "Someone", **changes: object) -> Entry:
    one = entry(number)
    return replace(one, track=replace(one.track, title=title, artist=artist, **changes))  # type: ignore[arg-type]


def uris(page: Page) -> list[int]:
    return [int(one.track.uri[2:7]) for one in page.entries]


def test_pages_go_down_and_up_and_say_what_is_beyond_them(tracks: Tracks) -> None:
    tracks.put([entry(number) for number in range(7)])
    first = tracks.page(Sought(), 3)
    assert (uris(first), first.has_newer, first.has_older) == ([6, 5, 4], False, True)
    second = tracks.page(Sought(), 3, below=first.oldest)
    assert (uris(second), second.has_newer, second.has_older) == ([3, 2, 1], True, True)
    third = tracks.page(Sought(), 3, below=second.oldest)
    assert (uris(third), third.has_newer, third.has_older) == ([0], True, False)
    back = tracks.page(Sought(), 3, above=third.newest)
    assert (uris(back), back.has_newer, back.has_older) == ([3, 2, 1], True, True)
    top = tracks.page(Sought(), 3, above=back.newest)
    assert (uris(top), top.has_newer, top.has_older) == ([6, 5, 4], False, True)
    assert tracks.page(Sought(), 3, below=third.oldest).entries == ()


@pytest.mark.parametrize("indexed", [True, False])
def test_words_are_found_by_how_they_begin_in_their_own_field(tracks: Tracks, indexed: bool) -> None:
    tracks.put(
        [
            titled(1, "Blue Monday", "New Order", genre="synth pop", moods=("sad",)),
            titled(2, "Order of Blue", "Someone", source="list"),
            titled(3, "100% _under_score", "Ünder \"quote' OR title:", moods=("fröhlich", "happy")),
        ]
    )
    if not indexed:
        with tracks._database.transaction() as connection:
            for trigger in ("add", "drop", "change"):
                connection.execute(text(f"DROP TRIGGER track_words_{trigger}"))
            connection.execute(text("DROP TABLE track_words"))

    def found(**sought: str) -> list[int]:
        return uris(tracks.page(Sought(**sought), 9))

    assert found(title="blu mon") == [1]
    assert found(title="monday BLUE") == [1]
    assert found(title="blue") == [2, 1]
    assert found(title="blue", source="list") == [2]
    assert found(title="blue", artist="order") == [1]
    assert found(genre="pop", mood="sad") == [1]
    assert found(title="%", mood="") == [3, 2, 1]
    assert found(title="under_score", artist='"quote') == [3]
    assert found(artist="quote' OR") == [3]
    assert found(artist='x" OR title:"blue') == []
    assert tracks.matching(Sought(title="blue"), 9) == ["a/00001.ogg", "a/00002.ogg"]
    assert len(tracks.matching(Sought(), 2)) == 2


@pytest.mark.parametrize("indexed", [True, False])
def test_names_are_found_in_any_field_among_what_has_such_a_key(tracks: Tracks, indexed: bool) -> None:
    tracks.put([entry(1), entry(2, "Indie Rock", album="Second Harvest"), entry(3, "Rock")])
    if not indexed:
        with tracks._database.transaction() as connection:
            connection.execute(text("DROP TABLE track_words"))

    def found(words: str, *kinds: str) -> list[str]:
        return [one.track.uri for one in tracks.named(words, 9, kinds)]

    assert found("someone song", "all") == []  # no key of theirs begins with that word and a space
    assert found("rock", "Indie") == ["a/00002.ogg"]
    assert found("HARV someone", "Indie", "Rock") == ["a/00002.ogg"]
    assert found("harvest elsewhere", "Indie") == found("", "Indie") == found("%", "Indie") == []


def test_the_index_follows_every_change(tracks: Tracks) -> None:
    tracks.put([titled(1, "First"), titled(2, "Second")])
    tracks.put([titled(1, "Übrig", moods=("fröhlich",)), titled(2, "Second", duration_s=9.0)])
    assert [uris(tracks.page(Sought(title=word), 9)) for word in ("first", "ubri", "second")] == [[], [1], [2]]
    assert uris(tracks.page(Sought(mood="froh"), 9)) == [1]
    tracks.remove(["a/00001.ogg"])
    assert uris(tracks.page(Sought(title="ubrig"), 9)) == []
    assert uris(tracks.page(Sought(), 9)) == [2]


def test_what_was_there_before_the_index_is_in_it(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/old.db"
    engine = create_engine(address)
    with engine.begin() as connection:
        upgrade(connection, "0005")
        connection.execute(insert(TRACKS), [catalogue._row(titled(1, "Blue", moods=("sad", "slow")))])
    engine.dispose()
    opened = Tracks(address, keys_of)
    assert [uris(opened.page(Sought(title="blue", mood=mood), 9)) for mood in ("slow", "fast")] == [[1], []]
    opened.close()
