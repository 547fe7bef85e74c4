"""Who says, shows or sings something is told how they feel, as the command line tells it, and nobody else is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web.answers import LASTS_S, MOST, Answer, Answers
from device.__main__ import main
from device.signals import ROOM, Estimate, Health, Mood, Queue
from tests import phones
from tests.web.feel import Feel, feel_in
from tests.web.posts import FORM_TYPE, body_of
from tests.web.rooms import HOME, client_as, token_of

SAID = "I am so happy for you!"


@pytest.fixture(scope="module")
def feel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feel]:
    with feel_in(tmp_path_factory.mktemp("feel")) as feel:
        yield feel


@pytest.fixture
def client(feel: Feel) -> FlaskClient:
    feel.put.clear()
    feel.muted.turn(False)
    return client_as(feel.app, "guest")


def post(
    client: FlaskClient,
    path: str = "/feel",
    files: Mapping[str, tuple[str, bytes]] | None = None,
    **fields: str | Sequence[str],
) -> TestResponse:
    body = body_of({"token": token_of(client), **fields}, files or {})
    return client.post(path, base_url=HOME, data=body, content_type=FORM_TYPE, headers={"Accept": "text/html"})


def asked(
    client: FlaskClient, files: Mapping[str, tuple[str, bytes]] | None = None, **fields: str | Sequence[str]
) -> str:
    """The page that tells the answer."""
    answer = post(client, files=files, **fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/feel#answer"), answer.text
    return page(client)


def page(client: FlaskClient) -> str:
    return client.get("/feel", base_url=HOME).text


def word(html: str) -> str:
    found = re.search(r'<p class="word">([^<]*)</p>', html)
    return found.group(1) if found else ""


def counted(client: FlaskClient, feel: Feel) -> list[Estimate]:
    assert post(client, "/feel/count").status_code == 303
    return feel.put


def on_the_command_line(modality: str, what: str, capsys: pytest.CaptureFixture[str]) -> list[float]:
    assert main(["judge", modality, what, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    return [*line["scores"], line["reliability"]]


# -- what is judged


@pytest.mark.parametrize(
    "sent",
    [*(("shown", "face", name) for name in phones.FACES), *(("sung", "voice", name) for name in phones.VOICES)],
)
def test_uploads_of_each_format_have_the_scores_of_the_command_line(
    client: FlaskClient, feel: Feel, sent: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    field, sense, name = sent
    data = (phones.FACES if sense == "face" else phones.VOICES)[name]()
    (tmp_path / name).write_bytes(data)
    asked(client, {field: (name, data)}, sense=sense)
    (estimate,) = counted(client, feel)
    assert (estimate.modality, estimate.who) == (sense, ROOM)
    told = on_the_command_line(sense, str(tmp_path / name), capsys)
    assert [*estimate.scores, estimate.reliability] == pytest.approx(told, abs=1e-4)


def test_words_have_the_scores_of_the_command_line(
    client: FlaskClient, feel: Feel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word(asked(client, words=SAID)) == "Happy"
    (estimate,) = counted(client, feel)
    told = on_the_command_line("text", SAID, capsys)
    assert [*estimate.scores, estimate.reliability] == pytest.approx(told, abs=1e-4)


def test_the_camera_of_attune_looks(client: FlaskClient, feel: Feel) -> None:
    assert word(asked(client, look="now")) == "Happy"
    assert [estimate.modality for estimate in counted(client, feel)] == ["face"]


def test_a_closed_camera_is_told(client: FlaskClient, feel: Feel) -> None:
    feel.muted.turn(True)
    answer = post(client, look="now")
    assert answer.status_code == 422
    assert "the camera is closed: unmute it" in answer.text
    feel.room.board.offer(Health(1.0, "camera", "muted"))
    assert "Camera muted" in page(client)
    feel.room.board.offer(Health(1.0, "camera", "works"))


def test_several_senses_are_put_together_by_how_far_each_can_be_relied_on(client: FlaskClient, feel: Feel) -> None:
    files = {"shown": ("a.jpg", phones.picture(".jpg")), "sung": ("a.m4a", phones.SOUNDS["a.m4a"]())}
    html = asked(client, files, words="I am so sad and lonely")
    shares = [int(share) for share in re.findall(r"counts (\d+) %", html)]
    assert sum(shares) == pytest.approx(100, abs=1)
    assert [estimate.modality for estimate in counted(client, feel)] == ["face", "voice", "text"]


def test_a_video_is_seen_and_heard(client: FlaskClient, feel: Feel) -> None:
    asked(client, {"shown": ("a.mov", phones.VIDEOS["a.mov"]())})
    assert [estimate.modality for estimate in counted(client, feel)] == ["face", "voice"]


@pytest.mark.parametrize("sense", ["face", "voice"])
def test_only_the_senses_that_are_ticked_count(client: FlaskClient, feel: Feel, sense: str) -> None:
    asked(client, {"shown": ("a.mp4", phones.VIDEOS["a.mp4"]())}, words=SAID, sense=[sense])
    assert [estimate.modality for estimate in counted(client, feel)] == [sense]


def test_that_a_silent_video_has_no_sound_is_not_told(client: FlaskClient) -> None:
    html = asked(client, {"shown": ("a.gif", phones.PICTURES["a.gif"]())})
    assert "no sound" not in html


def test_what_cannot_be_judged_is_told_beside_what_can(client: FlaskClient) -> None:
    html = asked(client, {"sung": ("a.wav", phones.picture(".png"))}, words=SAID)
    assert "Voice: not a recording that can be read" in html
    assert word(html) == "Happy"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Say, show or sing something first"),
        ({"words": "  "}, "Say, show or sing something first"),
        ({"words": "12 34"}, "no words in it"),
        ({"words": "x" * 501}, "500 characters"),
        ({"words": SAID, "sense": "face"}, "Say, show or sing something first"),
    ],
)
def test_nothing_to_judge_is_told(client: FlaskClient, fields: dict[str, str], told: str) -> None:
    answer = post(client, **fields)
    assert answer.status_code == 422
    assert told in answer.text
    assert 'id="answer-title"' not in answer.text


# -- what is told


def test_seven_scores_and_the_music_are_told(client: FlaskClient) -> None:
    html = asked(client, words=SAID)
    bars = [int(share) for share in re.findall(r"<b>(\d+) %</b>", html)]
    assert len(bars) == 7
    assert sum(bars) == pytest.approx(100, abs=4)
    assert bars == sorted(bars, reverse=True)
    assert len(re.findall(r'<span class="title">', html)) > 1
    assert "happy" in re.findall(r'<p class="why">([^<]*)', html)[0]


def test_words_are_not_written_back(client: FlaskClient) -> None:
    assert SAID not in asked(client, words=SAID)


def test_what_is_tapped_plays_alone(client: FlaskClient, feel: Feel) -> None:
    html = asked(client, words=SAID)
    titles = re.findall(r'<span class="title">([^<]*)</span>', html)
    assert post(client, "/feel/play", track="1").status_code == 303
    (queue,) = feel.put
    assert isinstance(queue, Queue)
    assert ([track.title for track in queue.tracks], queue.context) == ([titles[1]], None)


def test_a_surprise_is_one_of_them(client: FlaskClient, feel: Feel) -> None:
    titles = re.findall(r'<span class="title">([^<]*)</span>', asked(client, words=SAID))
    for _ in range(20):
        post(client, "/feel/play", track="any")
    played = [[track.title for track in queue.tracks] for queue in feel.put]
    assert {len(tracks) for tracks in played} == {1}
    assert 1 < len({title for (title,) in played} & set(titles)) == len({title for (title,) in played})


@pytest.mark.parametrize("track", ["99", "-1", "x", "", "²"])
def test_a_track_that_was_not_told_is_refused(client: FlaskClient, feel: Feel, track: str) -> None:
    asked(client, words=SAID)
    assert post(client, "/feel/play", track=track).status_code == 410
    assert feel.put == []


def test_it_counts_for_the_room_once_and_only_when_asked(client: FlaskClient, feel: Feel) -> None:
    asked(client, words=SAID)
    assert feel.put == []
    assert len(counted(client, feel)) == 1
    assert len(counted(client, feel)) == 1
    assert "It counts for the room." in page(client)


def test_only_the_asker_sees_the_answer(client: FlaskClient, feel: Feel) -> None:
    asked(client, words=SAID)
    other = client_as(feel.app, "owner")
    assert word(page(other)) == ""
    assert post(other, "/feel/count").status_code == 410
    assert post(other, "/feel/play", track="0").status_code == 410
    assert feel.put == []


def test_it_is_forgotten_on_request(client: FlaskClient) -> None:
    asked(client, words=SAID)
    post(client, "/feel/forget")
    assert word(page(client)) == ""


def test_without_a_token_nothing_is_judged(feel: Feel) -> None:
    client = client_as(feel.app, "guest")
    body = body_of({"words": SAID, "token": "guessed"}, {})
    assert client.post("/feel", base_url=HOME, data=body, content_type=FORM_TYPE).status_code == 403


# -- what is kept


def answer_at(at: float) -> Answer:
    return Answer(at, (), Mood(at, "happy"))


def test_answers_are_few_and_do_not_last() -> None:
    now = [0.0]
    answers = Answers(lambda: now[0])
    for number in range(MOST + 1):
        answers.keep(str(number), answer_at(0.0))
    assert answers.get("0") is None
    assert answers.get("1") is not None
    now[0] = LASTS_S + 1.0
    assert answers.get("1") is None
