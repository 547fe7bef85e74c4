"""A few phones on a real daemon: they get their pages and news, and pictures are still judged."""

from companion_web.app import MOST_STREAMS, MOST_STREAMS_EACH
from tests.load_page import measure

PHONES = 12


def test_a_dozen_phones_are_served_while_pictures_are_judged() -> None:
    found = measure(phones=PHONES, seconds=10.0, warm_s=3.0)
    assert found["failures"] == []
    answers = found["answers"]
    assert set(answers) <= {"page 200", "file 200", "poll 200", "poll 304", "stream 200", "stream 503"}
    assert answers["page 200"] == PHONES
    assert (
        MOST_STREAMS <= answers["stream 200"] <= MOST_STREAMS + MOST_STREAMS_EACH
    )  # a few may find a place given back
    assert answers["stream 503"] >= PHONES - MOST_STREAMS - MOST_STREAMS_EACH
    assert found["news by streams"] >= MOST_STREAMS
    assert found["answered after, ms"]["page"]["p95"] < 5_000
    assert found["age of a picture with phones, ms"]["count"] >= 10
