"""What Attune learns of one's own face and voice: from real files, for oneself alone, and as numbers."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import cv2
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from companion_web.calibration import MOST_OF_FILE, LessonError, moments_of
from device.signals import Command, Estimate, Lesson, Setting
from tests import phones
from tests.moments import Person
from tests.web.feel import MEDIA, Feel, feel_in
from tests.web.rooms import HOME, client_as, token_of

PORTRAIT = (MEDIA / "portrait.jpg").read_bytes()
SPEECH = (MEDIA / "speech.wav").read_bytes()


@pytest.fixture(scope="module")
def feel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feel]:
    with feel_in(tmp_path_factory.mktemp("feel")) as feel:
        yield feel


@pytest.fixture
def client(feel: Feel) -> FlaskClient:
    feel.put.clear()
    return client_as(feel.app, "listener", "anna")


def post(client: FlaskClient, path: str, **fields: object) -> TestResponse:
    data = {"token": token_of(client), **fields}
    headers = {"Accept": "text/html", "Origin": HOME}
    return client.post(f"/calibration{path}", base_url=HOME, data=data, headers=headers)


def teach(client: FlaskClient, *files: bytes, emotion: str = "happy", sense: str = "face") -> TestResponse:
    given = [(io.BytesIO(data), f"../{number}.jpg") for number, data in enumerate(files)]
    return post(client, "/teach", files=given, emotion=emotion, sense=sense)


def page(client: FlaskClient) -> str:
    return client.get("/calibration", base_url=HOME, headers={"Accept": "text/html"}).text


def test_pictures_become_moments_of_who_sent_them(client: FlaskClient, feel: Feel) -> None:
    answer = teach(client, PORTRAIT, PORTRAIT)
    assert answer.status_code == 303
    (lesson,) = feel.put
    assert isinstance(lesson, Lesson)
    assert [(one.who, one.emotion, one.modality) for one in lesson.moments] == [("anna", "happy", "face")] * 2
    assert len(lesson.moments[0].embedding.vector) == 2 * 96
    assert "2 moments are learnt" in page(client)


def test_a_voice_note_becomes_moments_and_a_video_of_one_face_too(client: FlaskClient, feel: Feel) -> None:
    assert teach(client, SPEECH, emotion="sad", sense="voice").status_code == 303
    assert teach(client, phones.VIDEOS["a.mp4"](), emotion="sad").status_code == 303
    voice, face = feel.put
    assert {(one.emotion, one.modality) for one in voice.moments} == {("sad", "voice")}
    assert {(one.emotion, one.modality) for one in face.moments} == {("sad", "face")}
    assert 1 <= len(face.moments) <= MOST_OF_FILE


def test_what_cannot_be_learnt_from_is_told_and_nothing_is_kept(client: FlaskClient, feel: Feel) -> None:
    portrait = cv2.imread(str(MEDIA / "portrait.jpg"))
    two = cv2.imencode(".jpg", cv2.hconcat([portrait, portrait]))[1].tobytes()
    for files, sense, told in (
        ((two,), "face", "more than one face"),
        ((PORTRAIT, b"<svg/>"), "face", "no picture, video or sound"),
        ((SPEECH,), "face", ""),
        ((PORTRAIT,), "voice", ""),
        ((), "face", "Choose a picture or a recording first"),
    ):
        answer = teach(client, *files, sense=sense)
        assert answer.status_code == 400
        assert told in answer.text
    assert teach(client, PORTRAIT, emotion="bored").status_code == 400
    assert teach(client, PORTRAIT, sense="text").status_code == 400
    assert feel.put == []


def test_what_is_kept_is_counted_for_oneself_alone(client: FlaskClient, feel: Feel) -> None:
    person = Person(1)
    assert "Nothing yet." in page(client)
    for emotion, who in (("happy", "anna"), ("happy", "anna"), ("sad", "anna"), ("fear", "bob")):
        feel.room.store.keep(person.moment(emotion, who))
    until = time.monotonic() + 10
    while "2 moments of your voice" not in page(client) and time.monotonic() < until:
        time.sleep(0.05)
    shown = page(client)
    assert "2 moments of your voice" in shown
    assert "1 moment of your voice" in shown
    assert "Forget Happy, voice" in shown
    assert "Forget Afraid" not in shown


def test_forgetting_is_for_oneself_alone(client: FlaskClient, feel: Feel) -> None:
    assert post(client, "/unlabel", label="happy voice").status_code == 303
    assert post(client, "/forget").status_code == 303
    assert [(one.kind, one.value) for one in feel.put] == [("unlabel", "happy voice anna"), ("forget", "anna")]
    assert post(client, "/unlabel", label="happy voice bob").status_code == 303
    assert feel.put[-1].value != "happy voice bob"
    assert post(client, "/unlabel", label="bored voice").status_code == 400


def test_a_moment_is_labelled_by_who_is_here_alone(client: FlaskClient, feel: Feel) -> None:
    refused = post(client, "/label", value="happy")
    assert (refused.status_code, feel.put) == (409, [])
    feel.room.board.offer(Setting(1.0, "listener", "anna"))
    assert post(client, "/label", value="happy").status_code == 303
    assert feel.put == [Command(feel.put[0].at, "label", "happy", "anna")]
    assert post(client, "/label", value="bored").status_code == 400
    feel.room.board.offer(Setting(2.0, "listener", "bob"))
    assert post(client, "/label", value="happy").status_code == 409


def test_the_most_reliable_of_a_recording_are_taken() -> None:
    person = Person(1)
    estimates = [person.estimate("happy") for _ in range(9)]
    assert len(moments_of(estimates, "anna", "happy")) == MOST_OF_FILE
    bare = Estimate(1.0, "voice", estimates[0].scores, 0.9)
    with pytest.raises(LessonError, match="cannot be calibrated"):
        moments_of([bare], "anna", "happy")


def test_guests_are_not_taught(feel: Feel) -> None:
    guest = client_as(feel.app, "guest")
    assert guest.get("/calibration", base_url=HOME).status_code == 403
