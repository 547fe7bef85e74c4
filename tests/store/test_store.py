"""The store against real databases, and real faults of their disk."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from sqlite3 import connect

import pytest

from device.signals import (
    EVERYONE,
    MOST_MOMENTS,
    Context,
    Decision,
    Embedding,
    Health,
    Modality,
    Moment,
    Mood,
    PlayerState,
    Queue,
    Reaction,
    Setting,
    Span,
    Target,
    Track,
)
from device.store import Store, StoreError
from device.store.database import Database
from device.store.history import newest
from device.store.plays import Play
from device.store.store import ERASURE, KEEP_DAYS

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
LIMIT_S = 20.0
MARK = "ZZTOPFLAMINGO"
EVERY_TIME = Span()


def mood(at: float, utc: datetime | None = None, people: int = 1) -> Mood:
    return Mood(
        at, "sad", "fear", -0.5, 0.25, 0.75, (("face", 0.6), ("text", 0.4)), (0.1,) * 6 + (0.4,), people, at, utc
    )


def decision(at: float, utc: datetime | None = None, reason: str = "sad for 8 s") -> Decision:
    return Decision(at, Mood(at, "sad", utc=utc), Target("sad", -0.63, -0.27), "match", 40, reason, utc)


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/attune.db"


def until(true: Callable[[], bool], limit_s: float = LIMIT_S) -> bool:
    end = time.monotonic() + limit_s
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def erase(store: Store, span: Span = EVERY_TIME) -> None:
    store.erase(span)
    assert until(lambda: not store.erasing)


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(connect(folder / "attune.db")) as connection:
        return connection.execute(query).fetchall()


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


# -- what is kept ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [False, True])
def test_events_come_back_as_they_were(tmp_path: Path, memory: bool) -> None:
    with Store("sqlite://" if memory else url(tmp_path), 30) as store:
        for event in (mood(1.0, NOW), decision(2.0, NOW), mood(3.0, NOW + timedelta(seconds=2), 2)):
            store.offer(event)
        assert store.moods() == [mood(3.0, NOW + timedelta(seconds=2), 2), mood(1.0, NOW)]
        assert store.moods(limit=1) == [mood(3.0, NOW + timedelta(seconds=2), 2)]
        assert store.moods(since=NOW + timedelta(seconds=1)) == [mood(3.0, NOW + timedelta(seconds=2), 2)]
        assert store.decisions() == [decision(2.0, NOW)]


def test_queues_health_and_the_names_of_players_are_not_kept(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        track = Track(f"file:{MARK}.ogg", MARK, MARK)
        store.offer(Queue(1.0, (track,), MARK))
        store.offer(PlayerState(1.0, "playing", Track("a.ogg"), 40, MARK))
        store.offer(Health(1.0, "camera", "works", MARK))
        store.offer(mood(1.0))
        store.offer(Setting(1.0, "camera", "off"))
        assert len(store.moods()) == 1
    assert MARK.encode() not in bytes_in(tmp_path)


def test_settings_outlive_a_restart_and_the_newest_counts(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        assert store.settings() == {}
        for value in ("on", "off"):
            store.offer(Setting(1.0, "camera", value))
        store.offer(Setting(1.0, "strategy", "lift"))
        assert store.settings() == {"camera": "off", "strategy": "lift"}
    with Store(url(tmp_path), 30) as store:
        assert store.settings() == {"camera": "off", "strategy": "lift"}


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    with Store(url(tmp_path / "state"), 30) as store:
        store.offer(mood(1.0))
        store.moods()
        modes = {file.stat().st_mode & 0o777 for file in (tmp_path / "state").iterdir()}
    assert modes == {0o600}


def test_what_waits_at_the_end_is_written(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.settings()
        for number in range(1_200):
            store.offer(mood(float(number)))
    assert rows(tmp_path, "SELECT count(*) FROM moods") == [(1_200,)]


def test_close_is_idempotent_and_what_comes_later_is_ignored(tmp_path: Path) -> None:
    store = Store(url(tmp_path), 30)
    store.settings()
    store.close()
    store.close()
    store.offer(mood(1.0))
    with pytest.raises(StoreError, match="closed"):
        store.moods()


# -- time --------------------------------------------------------------------------------------------------------------


def test_rows_from_before_the_clock_was_known_are_corrected(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as earlier:
        earlier.offer(mood(5.0))
        assert earlier.moods()[0].utc is None
    with Store(url(tmp_path), 30) as store:
        store.offer(mood(10.0))
        store.offer(decision(11.0))
        assert store.moods(limit=1)[0].utc is None
        store.offer(PlayerState(40.0, "paused", utc=NOW))
        store.offer(mood(41.5))
        assert until(lambda: store.moods(limit=1)[0].utc is not None)
        assert [item.utc for item in store.moods()] == [NOW + timedelta(seconds=1.5), NOW - timedelta(seconds=30), None]
        assert store.decisions()[0].utc == NOW - timedelta(seconds=29)


def test_many_rows_are_corrected(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        for number in range(2_500):
            store.offer(mood(float(number)))
        assert len(store.moods(limit=5_000)) == 2_500
        store.offer(mood(3_000.0, NOW))
        assert all(item.utc == NOW - timedelta(seconds=3_000 - item.at) for item in store.moods(limit=5_000))


def test_retention_at_the_start_and_daily(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(mood(1.0, NOW - timedelta(days=40)))
        store.offer(decision(1.0, NOW - timedelta(days=40)))
        store.offer(mood(2.0, NOW - timedelta(days=29, hours=12)))
        assert len(store.moods()) == 2
    with Store(url(tmp_path), 30) as store:
        store.offer(mood(1.0, NOW))
        assert until(lambda: len(store.moods()) == 2)
        assert store.decisions() == []
        store.offer(Health(2.0, "brain", "works", utc=NOW + timedelta(hours=23)))
        assert len(store.moods()) == 2
        store.offer(Health(2.0, "brain", "works", utc=NOW + timedelta(hours=25)))
        assert until(lambda: len(store.moods()) == 1)


def test_rows_that_never_got_a_time_are_erased_in_time_too(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as clockless:
        clockless.offer(mood(1.0))
    with Store(url(tmp_path), 30) as store:
        store.offer(mood(1.0, NOW))
        assert len(store.moods()) == 2
    with Store(url(tmp_path), 30) as store:
        store.offer(mood(1.0, NOW + timedelta(days=31)))
        assert until(lambda: [item.utc for item in store.moods()] == [NOW + timedelta(days=31)])


# -- erasure -----------------------------------------------------------------------------------------------------------


def test_erasing_leaves_no_byte(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(Setting(1.0, "camera", "off"))
        for number in range(500):
            store.offer(decision(float(number), NOW, f"{MARK} {number}"))
        assert len(store.decisions()) == 500
        assert MARK.encode() in bytes_in(tmp_path)
        store.offer(decision(501.0, NOW, f"{MARK} waiting"))
        erase(store)
        assert MARK.encode() not in bytes_in(tmp_path)
        assert (tmp_path / "attune.db-wal").stat().st_size == 0
        assert store.decisions() == []
        store.offer(decision(502.0, NOW, "after"))
        assert [item.reason for item in store.decisions()] == ["after"]
    with Store(url(tmp_path), 30) as store:
        assert store.settings() == {"camera": "off"}
    assert MARK.encode() not in bytes_in(tmp_path)


def test_retention_leaves_no_byte_either(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(decision(1.0, NOW - timedelta(days=50), MARK))
        store.offer(decision(2.0, NOW, "kept"))
        assert until(lambda: len(store.decisions()) == 1)
        assert until(lambda: MARK.encode() not in bytes_in(tmp_path))


def test_what_somebody_else_reads_is_erased_as_soon_as_they_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Health] = []
    with Store(url(tmp_path), 30, told.append) as store:
        store.offer(decision(1.0, NOW, MARK))
        store.decisions()
        with contextlib.closing(connect(tmp_path / "attune.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM moods").fetchall()
            store.erase(Span())
            assert until(lambda: "another program" in caplog.text)
            assert store.erasing
            assert ERASURE not in {health.part for health in told}
        assert until(lambda: not store.erasing, 60.0)
        assert MARK.encode() not in bytes_in(tmp_path)
        assert told[-1].part == ERASURE


def fill_a_day(store: Store) -> None:
    """An evening and the night after it: a decision each minute, bearing its number and the mark."""
    for number in range(600):
        store.offer(decision(float(number), NOW + timedelta(minutes=number), f"{MARK}{number:04d}."))
        store.offer(mood(float(number), NOW + timedelta(minutes=number)))
        store.offer(reaction(("anna", "bert")[number % 2], float(number), NOW + timedelta(minutes=number)))


def test_a_moment_is_erased_and_nothing_else(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        fill_a_day(store)
        moment = NOW + timedelta(minutes=100)
        erase(store, Span(moment, moment + timedelta(minutes=5)))
        left = [number for number in range(600) if not 100 <= number < 105]
        assert [decision.reason for decision in store.decisions()] == [f"{MARK}{number:04d}." for number in left][::-1]
        assert [mood.at for mood in store.moods()] == [float(number) for number in left][::-1]
        assert [one.at for one in store.reactions()] == [float(number) for number in left][::-1]
        assert not any(f"{MARK}{number:04d}.".encode() in bytes_in(tmp_path) for number in range(100, 105))
        assert all(f"{MARK}{number:04d}.".encode() in bytes_in(tmp_path) for number in left)


@pytest.mark.parametrize("seed", [0, 2])
def test_whatever_is_erased_one_after_the_other_leaves_no_byte(tmp_path: Path, seed: int) -> None:
    """Rows that move between the pages of a file leave copies behind; of these, one or two outlive secure_delete."""
    rng, count = random.Random(seed), 6_000
    database = Database(url(tmp_path))

    def keep(first: int, end: int, timed: bool) -> None:
        spans = [(number, NOW + timedelta(seconds=number) if timed else None) for number in range(first, end)]
        said = [f"{MARK}{number:06d}." + "x" * rng.randrange(120) for number, _ in spans]
        database.keep("run", [decision(float(n), utc, text) for (n, utc), text in zip(spans, said, strict=True)], {})

    keep(0, count, timed=False)
    database.correct("run", 0.0, NOW)
    left = set(range(count))
    for _ in range(60):
        first, length = rng.randrange(count), rng.choice((1, 1, 3, 20, 200))
        database.erase(Span(NOW + timedelta(seconds=first), NOW + timedelta(seconds=first + length)))
        left -= set(range(first, first + length))
        keep(count, count + 13, timed=True)
        left |= set(range(count, count + 13))
        count += 13
    database.close()
    found = bytes_in(tmp_path)
    gone = set(range(count)) - left
    times = {number: str((NOW + timedelta(seconds=number)).replace(tzinfo=None)).encode() for number in gone}
    assert {int(number) for number in re.findall(f"{MARK}(\\d{{6}})".encode(), found)} == left
    assert [number for number, utc in times.items() if utc in found] == []


def test_erasing_changes_no_table(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        fill_a_day(store)
        store.moods()
        before = rows(tmp_path, "SELECT type, name, tbl_name FROM sqlite_master ORDER BY name")
        erase(store, Span(NOW, NOW + timedelta(minutes=1)))
        assert rows(tmp_path, "SELECT type, name, tbl_name FROM sqlite_master ORDER BY name") == before


def test_the_days_for_which_things_are_kept_can_be_changed_at_any_time(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(mood(1.0, NOW - timedelta(days=20)))
        store.offer(mood(2.0, NOW))
        assert len(store.moods()) == 2
        store.offer(Setting(3.0, KEEP_DAYS, "10"))
        assert until(lambda: len(store.moods()) == 1)
    with Store(url(tmp_path), 30) as store:
        store.settings()
        assert store.keep_days == 10
        store.offer(Setting(4.0, KEEP_DAYS, ""))
        assert store.keep_days == 30


# -- what played -------------------------------------------------------------------------------------------------------


def test_what_played_is_kept_with_why_it_played(tmp_path: Path) -> None:
    track = Track("a.ogg", "Blue", "Somebody", "pop", valence=0.5, arousal=-0.25, source="folder")
    with Store(url(tmp_path), 30) as store:
        store.offer(mood(1.0, NOW))
        store.offer(Queue(2.0, (track,), "pop fits sad", context=Context("anna", "sad", "lift")))
        store.offer(PlayerState(3.0, "playing", track, utc=NOW + timedelta(seconds=2)))
        store.offer(PlayerState(64.0, "stopped", utc=NOW + timedelta(seconds=63)))
        (play,) = newest(store, "plays", Span(), 10)
    assert play == Play(3.0, track, 61.0, "sad", "lift", "pop fits sad", "attune", NOW + timedelta(seconds=2))


def test_what_played_before_the_clock_was_known_gets_its_time(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(PlayerState(3.0, "playing", Track("a.ogg")))
        store.offer(PlayerState(64.0, "stopped"))
        assert [one.utc for one in newest(store, "plays", Span(), 10)] == [None]
        store.offer(mood(100.0, NOW))
        assert until(lambda: newest(store, "plays", Span(), 10)[0].utc == NOW - timedelta(seconds=97))


def test_what_still_plays_when_its_time_is_erased_leaves_no_entry(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(PlayerState(3.0, "playing", Track("a.ogg", MARK), utc=NOW))
        erase(store, Span(NOW, NOW + timedelta(seconds=1)))
        store.offer(PlayerState(64.0, "stopped", utc=NOW + timedelta(seconds=61)))
        assert newest(store, "plays", Span(), 10) == []
    assert MARK.encode() not in bytes_in(tmp_path)


# -- moments that listeners labelled -----------------------------------------------------------------------------------


def moment(who: str = "anna", number: int = 0, modality: Modality = "voice") -> Moment:
    vector = MARK.encode() + number.to_bytes(4, "little")
    return Moment(who, "sad", modality, (0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1), Embedding("a" * 64, vector))


def test_moments_outlive_a_restart_in_their_order(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        for number in range(3):
            store.keep(moment(number=number))
        store.keep(moment("bert", modality="face"))
    with Store(url(tmp_path), 30) as store:
        assert store.moments() == [*(moment(number=number) for number in range(3)), moment("bert", modality="face")]


def reaction(who: str = "anna", at: float = 1.0, utc: datetime | None = NOW) -> Reaction:
    track = Track("a.ogg", MARK, "Somebody", "pop", valence=0.5, arousal=-0.25, uncertainty=0.3, source="folder")
    local = utc and utc.astimezone(timezone(timedelta(hours=2)))
    return Reaction(at, "skip", -0.75, track, Context(who, "sad", "lift", "face", "happy", local), utc)


def test_reactions_come_back_as_they_were_also_after_a_restart(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(reaction())
        store.offer(reaction("bert", 2.0, NOW + timedelta(hours=1)))
    with Store(url(tmp_path), 30) as store:
        assert store.reactions() == [reaction("bert", 2.0, NOW + timedelta(hours=1)), reaction()]
        assert store.reactions(limit=1) == [reaction("bert", 2.0, NOW + timedelta(hours=1))]


def test_reactions_are_kept_for_longer_than_moods(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        for event in (mood(1.0, NOW - timedelta(days=800)), reaction(utc=NOW - timedelta(days=800))):
            store.offer(event)
        for event in (mood(2.0, NOW - timedelta(days=40)), reaction(at=2.0, utc=NOW - timedelta(days=40))):
            store.offer(event)
        store.offer(mood(3.0, NOW))
        assert until(lambda: len(store.moods()) == 1)
        assert [one.at for one in store.reactions()] == [2.0]


def test_reactions_of_before_the_clock_was_known_get_their_time(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(reaction(at=10.0, utc=None))
        assert [one.utc for one in store.reactions()] == [None]
        store.offer(mood(70.0, NOW))
        assert until(lambda: [one.utc for one in store.reactions()] == [NOW - timedelta(seconds=60)])


@pytest.mark.parametrize(("who", "left"), [("anna", ["bert", "room"]), (EVERYONE, [])])
def test_whoever_is_forgotten_leaves_no_reaction(tmp_path: Path, who: str, left: list[str]) -> None:
    with Store(url(tmp_path), 30) as store:
        for name in ("anna", "bert", "room"):
            store.offer(reaction(name))
        store.forget(who)
        assert until(lambda: sorted(one.context.who for one in store.reactions()) == left)
    assert (MARK.encode() in bytes_in(tmp_path)) == bool(left)


def test_the_newest_moments_of_each_sense_are_kept(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.keep(moment(modality="face"))
        for number in range(MOST_MOMENTS + 5):
            store.keep(moment(number=number))
    with Store(url(tmp_path), 30) as store:
        kept = store.moments()
    assert kept == [moment(modality="face"), *(moment(number=number) for number in range(5, MOST_MOMENTS + 5))]


@pytest.mark.parametrize("who", ["anna", EVERYONE])
def test_whoever_is_forgotten_leaves_no_byte(tmp_path: Path, who: str) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(Setting(1.0, "listener", "anna"))
        store.keep(moment())
    (tmp_path / "attune.db.damaged").write_bytes(MARK.encode())
    with Store(url(tmp_path), 30) as store:
        assert store.moments() == [moment()]
        store.keep(moment(number=1))
        store.offer(Setting(2.0, "listener", "room"))
        store.forget(who)
        assert store.moments() == []
        store.moods()
        assert b"anna" not in bytes_in(tmp_path)
        assert MARK.encode() not in bytes_in(tmp_path)


def test_others_are_not_forgotten_and_one_can_begin_anew(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        for change in (moment(number=1), moment("bert"), "anna", moment(number=2)):
            (store.forget if isinstance(change, str) else store.keep)(change)  # type: ignore[arg-type]
    with Store(url(tmp_path), 30) as store:
        assert store.moments() == [moment("bert"), moment(number=2)]


def test_erasing_erases_moments_too(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.keep(moment())
        erase(store)
        assert store.moments() == []
        assert MARK.encode() not in bytes_in(tmp_path)


def test_what_cannot_be_forgotten_now_is_forgotten_as_soon_as_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with mounted(folder, "size=4m"):
        with Store(url(folder), 30) as store:
            store.keep(moment())
        remount(folder, "ro")
        with Store(url(folder), 30) as store:
            store.settings()
            store.forget("anna")
            store.keep(moment("bert"))
            assert MARK.encode() in bytes_in(folder)
            remount(folder, "rw")
            assert until(lambda: can_read(store), 60.0)
            assert rows(folder, "SELECT who FROM moments") == [("bert",)]


# -- faults ------------------------------------------------------------------------------------------------------------


def test_a_damaged_file_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "attune.db").write_bytes(b"no database at all " * 1_000)
    with Store(url(tmp_path), 30) as store:
        assert store.settings() == {}
        store.offer(mood(1.0))
        store.offer(Setting(1.0, "camera", "off"))
        assert until(lambda: can_read(store))
        assert len(store.moods()) == 1
        assert (tmp_path / "attune.db.damaged").exists()
        erase(store)
        assert not (tmp_path / "attune.db.damaged").exists()
    told = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert "attune.db is damaged (file is not a database); it is kept as attune.db.damaged" in told[0]


def test_a_damaged_file_is_not_kept_for_ever(tmp_path: Path) -> None:
    aside = tmp_path / "attune.db.damaged"
    aside.write_bytes(b"moods of somebody")
    written = datetime.fromtimestamp(aside.stat().st_mtime, UTC)
    with Store(url(tmp_path), 30) as store:
        store.offer(mood(1.0, written + timedelta(days=29)))
        store.moods()
        assert aside.exists()
        store.offer(mood(1.0, written + timedelta(days=31)))
        assert until(lambda: bool(store.moods()) and not aside.exists())


def test_settings_survive_the_damage_of_other_pages(tmp_path: Path) -> None:
    with Store(url(tmp_path), 30) as store:
        store.offer(Setting(1.0, "microphone", "off"))
        for number in range(2_000):
            store.offer(mood(float(number), NOW))
    file = tmp_path / "attune.db"
    size = file.stat().st_size
    page = rows(tmp_path, "SELECT rootpage FROM sqlite_master WHERE name = 'runs'")[0][0]
    assert isinstance(page, int)
    with file.open("r+b") as content:
        content.seek((page - 1) * 4096)
        content.write(b"\xff" * 4096)
    assert file.stat().st_size == size
    with Store(url(tmp_path), 30) as store:
        assert store.settings() == {"microphone": "off"}
        assert until(lambda: can_read(store))
    assert rows(tmp_path, "SELECT * FROM settings") == [("microphone", "off")]


def can_read(store: Store) -> bool:
    try:
        store.moods(limit=1)
    except StoreError:
        return False
    return True


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    if os.geteuid():
        pytest.skip("needs root: this test mounts a file system")
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"mount is refused here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True, capture_output=True)


def test_a_read_only_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "state"
    told: list[Health] = []
    with mounted(folder, "size=4m"):
        with Store(url(folder), 30) as store:
            store.offer(Setting(1.0, "microphone", "off"))
            store.offer(mood(1.0))
        remount(folder, "ro")
        with Store(url(folder), 30, told.append, waiting=10) as store:
            assert store.settings() == {"microphone": "off"}  # a mute holds even where nothing can be written
            for number in range(25):
                store.offer(mood(float(number), people=number))
            store.offer(Setting(1.0, "camera", "off"))
            assert store.settings() == {"microphone": "off", "camera": "off"}
            with pytest.raises(StoreError, match="cannot be written"):
                store.moods()
            assert until(lambda: "cannot be written" in caplog.text)
            remount(folder, "rw")
            assert until(lambda: can_read(store), 60.0)
            assert [item.people for item in store.moods(limit=10)] == list(range(24, 14, -1))
            assert store.lost == 15
        assert rows(folder, "SELECT key FROM settings ORDER BY key") == [("camera",), ("microphone",)]
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "make the folder writable, or set state or [store] url" in warned[0]
    assert "15 events were lost while nothing could be written" in caplog.text
    assert [health.status for health in told] == ["missing", "works"]


def fill(file: Path) -> None:
    """Leave no free byte on the disk."""
    with file.open("wb", buffering=0) as content, contextlib.suppress(OSError):
        while True:
            content.write(b"x" * 1024)


def test_a_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "state"
    with mounted(folder, "size=1m"), Store(url(folder), 30) as store:
        store.offer(mood(1.0))
        assert len(store.moods()) == 1
        ballast = folder / "ballast"
        fill(ballast)
        for number in range(3_000):
            store.offer(decision(float(number), reason=f"number {number}"))
        assert until(lambda: "the disk is full; free some space" in caplog.text)
        store.offer(Setting(1.0, "camera", "off"))
        assert store.settings() == {"camera": "off"}
        ballast.unlink()
        assert until(lambda: can_read(store), 60.0)
        assert store.decisions(limit=1)[0].reason == "number 2999"
        assert store.lost == 0
    warned = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 1


def test_a_folder_that_is_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("")
    with Store(url(tmp_path / "state"), 30) as store:
        assert store.settings() == {}
        assert until(lambda: bool(caplog.records))
    assert "check the disk and [store] url" in caplog.records[0].message


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("nonsense", "not a database address"),
        ("oracle9://x", "install its driver"),
        ("postgresql+psycopg2://u:geheim@h/d", ""),
    ],
)
def test_an_unusable_address(address: str, complaint: str, caplog: pytest.LogCaptureFixture) -> None:
    with Store(address, 30) as store:
        assert store.settings() == {}
        assert until(lambda: bool(caplog.records))
    assert complaint in caplog.records[0].message
    assert "geheim" not in caplog.text
