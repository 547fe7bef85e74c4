"""The board remembers the latest of each kind, the last 200 of all, and no words."""

import itertools
import json
import threading
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from device.board import LAST, TRAIL_S, TRAIL_STEP_S, Board, plain
from device.signals import Decision, Health, Mood, PlayerState, Queue, Sentence, Setting, Target, Track

SCORES = (0.02, 0.01, 0.02, 0.8, 0.05, 0.04, 0.06)
UTC_TIME = datetime(2026, 5, 17, 19, 30, tzinfo=UTC)
MOOD = Mood(
    12.5,
    "happy",
    second="surprise",
    valence=0.61234567,
    arousal=0.3,
    confidence=0.8,
    shares=(("face", 0.7), ("voice", 0.3)),
    scores=SCORES,
    people=2,
    sensed_at=12.25,
    utc=UTC_TIME,
)
TRACK = Track("demo/happy-1.ogg", title="Sun on the stairs", artist="Attune", genre="pop", duration_s=61.0)


def filled() -> Board:
    board = Board()
    board.offer(MOOD)
    board.offer(Decision(13.0, MOOD, Target("happy", 0.8, 0.5), "match", 40, "happy for 8 s"))
    board.offer(Queue(13.1, (TRACK,), "pop fits happy"))
    board.offer(PlayerState(13.2, "playing", TRACK, 40, "null"))
    board.offer(Health(1.0, "camera", "missing", "no camera found; plug one in"))
    board.offer(Setting(2.0, "strategy", "match"))
    return board


def test_an_empty_board_has_every_name_and_no_value() -> None:
    assert Board().snapshot() == {
        "version": 0,
        "mood": None,
        "decision": None,
        "queue": None,
        "player": None,
        "mood_since": 0.0,
        "trail": [],
        "health": {},
        "settings": {},
    }


def test_snapshot_holds_the_latest_of_each_kind_ready_for_json() -> None:
    board = filled()
    board.offer(Setting(3.0, "strategy", "lift"))
    state = json.loads(json.dumps(board.snapshot(), allow_nan=False))
    assert state["version"] == 7
    assert state["mood"]["shares"] == {"face": 0.7, "voice": 0.3}
    assert state["mood"]["scores"]["happy"] == 0.8
    assert state["mood"]["valence"] == 0.6123
    assert state["mood"]["utc"] == "2026-05-17T19:30:00+00:00"
    assert state["decision"]["mood"] == "happy"
    assert state["decision"]["target"] == {"emotion": "happy", "valence": 0.8, "arousal": 0.5}
    assert state["queue"]["tracks"][0]["title"] == "Sun on the stairs"
    assert state["player"]["track"]["genre"] == "pop"
    assert state["settings"] == {"strategy": "lift"}


def test_health_is_kept_for_each_part() -> None:
    board = filled()
    board.offer(Health(2.0, "mqtt", "works"))
    board.offer(Health(3.0, "camera", "works"))
    health = board.snapshot()["health"]
    assert {part: health[part]["status"] for part in health} == {"camera": "works", "mqtt": "works"}


def test_scores_are_empty_where_a_mood_has_none() -> None:
    assert plain(Mood(1.0, "absent"))["scores"] == {}


@given(st.integers(0, 2 * LAST + 7))
def test_only_the_last_events_are_kept_in_order(count: int) -> None:
    board = Board()
    for number in range(count):
        board.offer(Setting(float(number), "volume", str(number)))
    kept = [event["value"] for event in board.events()]
    assert kept == [str(number) for number in range(max(0, count - LAST), count)]
    assert board.version == count


def test_a_mood_lasts_since_it_got_its_name() -> None:
    board = Board()
    since = []
    for at, emotion in [(1.0, "sad"), (2.0, "sad"), (5.0, "happy"), (6.0, "happy"), (9.0, "sad")]:
        board.offer(Mood(at, emotion))  # type: ignore[arg-type]
        since.append(board.snapshot()["mood_since"])
    assert since == [1.0, 1.0, 5.0, 5.0, 9.0]


def test_the_way_of_the_mood_is_short_and_its_steps_are_apart() -> None:
    board = Board()
    for tick in range(2000):
        at = 0.5 * tick
        board.offer(Mood(at, "happy", valence=at / 1000.0, arousal=-0.25))
        trail = board.snapshot()["trail"]
        assert len(trail) <= TRAIL_S / TRAIL_STEP_S
        assert at - trail[0][0] < TRAIL_S
    assert trail[-1] == [995.0, 0.995, -0.25]
    assert {later[0] - one[0] for one, later in itertools.pairwise(trail)} == {TRAIL_STEP_S}


def test_who_is_absent_leaves_no_trail_and_the_old_one_ends() -> None:
    board = Board()
    board.offer(Mood(1.0, "sad", valence=-0.5))
    board.offer(Mood(7.0, "absent"))
    assert board.snapshot()["trail"] == [[1.0, -0.5, 0.0]]
    board.offer(Mood(1.0 + TRAIL_S, "absent"))
    assert board.snapshot()["trail"] == []


def test_what_is_no_number_is_null() -> None:
    board = Board()
    board.offer(Mood(1.0, "unclear", valence=float("nan"), confidence=float("inf")))
    mood = json.loads(json.dumps(board.snapshot(), allow_nan=False))["mood"]
    assert (mood["valence"], mood["arousal"], mood["confidence"]) == (None, 0.0, None)


def test_words_are_not_taken() -> None:
    board = Board()
    board.offer(Sentence(1.0, "a secret of mine"))  # type: ignore[arg-type]
    assert board.version == 0
    assert "secret" not in json.dumps([board.snapshot(), board.events()])


def test_wait_tells_at_once_what_is_new_and_gives_up_in_time() -> None:
    board = filled()
    assert board.wait(0, timeout_s=60.0) == board.version
    assert board.wait(board.version, timeout_s=0.01) == board.version


def test_wait_wakes_when_an_event_comes() -> None:
    board, seen = Board(), []
    reader = threading.Thread(target=lambda: seen.append(board.wait(0, timeout_s=60.0)))
    reader.start()
    board.offer(MOOD)
    reader.join(30.0)
    assert seen == [1]


def test_writers_and_readers_share_a_board() -> None:
    board = Board()
    writers = [
        threading.Thread(target=lambda part=part: [board.offer(Health(float(n), part, "works")) for n in range(200)])
        for part in ("camera", "microphone", "mqtt")
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert len(board.snapshot()["health"]) <= 3
        assert len(board.events()) <= LAST
    assert board.version == 600


def test_what_people_want_erased_is_forgotten_and_what_plays_goes_on() -> None:
    board = filled()
    version = board.version
    board.forget()
    state = board.snapshot()
    assert [state[name] for name in ("mood", "decision", "queue", "trail")] == [None, None, None, []]
    assert state["player"]["status"] == "playing"
    assert set(state["health"]) == {"camera"}
    assert board.events() == []
    assert board.version > version
