"""What a head of one's own brings, on people made up so that the answer is known."""

import numpy as np

from models.training.sequence_personal import Shown, effect_of_neutral, gains, gains_within


def _people(count: int, wrong: bool) -> Shown:
    """People with two emotions; where `wrong`, every network's answer to each is the other one."""
    labels, subjects = np.tile([0, 3], count), np.repeat(np.arange(count), 2)
    said = labels[::-1] if wrong else labels
    logits = np.repeat(2 * np.eye(7)[said][:, None], 3, axis=1)
    embeddings = np.repeat(10 * np.eye(8)[labels][:, None], 3, axis=1)
    return Shown(logits.astype(np.float32), embeddings.astype(np.float32), labels, subjects)


def test_moments_of_the_same_movement_put_right_what_the_network_mixes_up() -> None:
    said = gains_within(_people(4, wrong=True))
    assert (said["people"], said["before"], said["after"], said["better_for"]) == (4, 0, 1, 4)


def test_a_network_that_is_right_is_left_so() -> None:
    said = gains(_people(4, wrong=False), 1, np.random.default_rng(0))
    assert (said["before"], said["gain"], said["by_another"], said["worse_for"]) == (1, 0, 0, 0)


def test_only_people_with_a_sequence_left_to_judge_count() -> None:
    shown = _people(4, wrong=False)
    keep = np.arange(7)
    fewer = Shown(shown.logits[keep], shown.embeddings[keep], shown.labels[keep], shown.subjects[keep])
    assert gains(fewer, 1, np.random.default_rng(0))["people"] == 3


def test_a_neutral_moment_brings_nothing_to_those_whose_every_emotion_is_seen() -> None:
    calm = Shown(
        2 * np.eye(7, dtype=np.float32)[[6, 6], None],
        np.ones((2, 1, 8), np.float32),
        np.array([6, 6]),
        np.array([-1, -1]),
    )
    found = effect_of_neutral(_people(4, wrong=False), calm, np.random.default_rng(0))
    assert (found["people"], found["before"], found["by_another"]) == (4, 1, None)
    assert found["gain"] <= 0
