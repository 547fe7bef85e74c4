"""Trials run through what the appliance runs, compare fairly, and taste is nowhere much worse than the table."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from device.__main__ import main
from device.music.simulate import BEGIN, END, Outcome, SimulationError, as_markdown, plot, simulate, write_into
from device.music.simulated import FAMILIES, Family, homes, library
from device.music.trial import POLICIES, regrets

MUSIC = library()


def outcome(taste: float, table: float, spread: float = 0.1, decisions: int = 60) -> Outcome:
    """Ten listeners whose regrets differ, by taste and by table alike."""
    people = np.linspace(-spread, spread, 10)[:, None]
    levels = {"taste": taste, "table": table, "tree": table, "chance": 2.0 * table}
    return Outcome(
        {("contrary", policy): np.broadcast_to(level + people, (10, decisions)) for policy, level in levels.items()}, 1
    )


def test_the_comparison_is_paired() -> None:
    beside = outcome(taste=0.45, table=0.5, spread=0.4).beside_table("contrary", "taste", 50)
    assert beside.mean == pytest.approx(-0.1)
    assert -0.2 < beside.low < beside.mean < beside.high < 0.0
    alone = outcome(taste=0.45, table=0.5, spread=0.4).regret("contrary", "taste", 50)
    assert alone.low < 0.45 - 0.1 < 0.45 + 0.1 < alone.high


def test_a_policy_beside_itself_is_neither_better_nor_worse() -> None:
    beside = outcome(taste=0.4, table=0.5).beside_table("contrary", "table", 60)
    assert (beside.mean, beside.low, beside.high) == (0.0, 0.0, 0.0)


def test_only_what_was_reached_is_told() -> None:
    assert outcome(0.4, 0.5, decisions=60).checkpoints == (50,)
    assert outcome(0.4, 0.5, decisions=1_000).checkpoints == (50, 200, 1_000)
    assert outcome(0.4, 0.5, decisions=20).checkpoints == (20,)
    assert "| contrary | 50 | 0.400 | 0.500 |" in as_markdown(outcome(0.4, 0.5))


def test_equal_seeds_give_equal_trials_in_any_number_of_processes() -> None:
    one, two = (simulate(["ordinary"], listeners=2, decisions=12, seed=3, jobs=jobs) for jobs in (1, 2))
    for key, run in one.regrets.items():
        np.testing.assert_array_equal(run, two.regrets[key])
    other = simulate(["ordinary"], listeners=2, decisions=12, seed=4)
    assert not np.array_equal(other.regrets["ordinary", "table"], one.regrets["ordinary", "table"])


@pytest.mark.parametrize("policy", POLICIES)
def test_regret_is_never_negative(policy: str) -> None:
    home = homes("two opposites", 1, 1)[0]
    assert regrets(home, policy, 40, 1, MUSIC).min() >= 0.0


def test_chance_is_worse_than_the_table_for_the_conventional_and_better_for_the_contrary() -> None:
    means = {
        (family, policy): np.mean([regrets(home, policy, 60, 1, MUSIC) for home in homes(family, 4, 5)])
        for family in ("conventional", "contrary")
        for policy in ("table", "chance")
    }
    assert means["conventional", "chance"] > 1.5 * means["conventional", "table"]
    assert means["contrary", "chance"] < 0.8 * means["contrary", "table"]


@pytest.mark.parametrize("family", FAMILIES)
def test_taste_is_nowhere_more_than_a_twentieth_worse_than_the_table(family: str) -> None:
    """Seeds that nothing was tuned on; `attune simulate listeners` says the same with more listeners and decisions."""
    taste, table = (
        np.array([regrets(home, policy, 150, number, MUSIC) for number, home in enumerate(homes(family, 5, seed=501))])
        for policy in ("taste", "table")
    )
    assert taste.mean() <= 1.05 * table.mean()


def test_taste_is_much_better_than_the_table_where_the_table_is_wrong() -> None:
    home = homes("contrary", 1, seed=502)[0]
    late = [regrets(home, policy, 200, 1, MUSIC)[100:].mean() for policy in ("taste", "table")]
    assert late[0] < 0.6 * late[1]


def test_an_unknown_family_is_named_with_those_there_are() -> None:
    with pytest.raises(SimulationError, match="no family 'nobody': there are conventional, genre lover"):
        simulate(["nobody"], listeners=1, decisions=1, seed=1)


def test_the_table_is_written_between_the_marks_of_a_document(tmp_path: Path) -> None:
    page = tmp_path / "taste.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_into(page, outcome(0.4, 0.5))
    written = page.read_text()
    assert written.startswith(f"before\n{BEGIN}\n")
    assert written.endswith(f"{END}\nafter\n")
    assert "old" not in written
    assert "| contrary | 50 |" in written
    page.write_text("no marks")
    with pytest.raises(SimulationError, match="to write between"):
        write_into(page, outcome(0.4, 0.5))
    with pytest.raises(SimulationError, match="No such file"):
        write_into(tmp_path / "absent.md", outcome(0.4, 0.5))


def test_a_plot_is_drawn_or_says_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "regret.png"
    if importlib.util.find_spec("matplotlib"):
        plot(outcome(0.4, 0.5), path)
        assert path.read_bytes().startswith(b"\x89PNG")
    else:
        with pytest.raises(SimulationError, match=r"pip install attune\[train\]"):
            plot(outcome(0.4, 0.5), path)


def test_the_command_tells_a_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["simulate", "listeners", "--family", "indifferent", "--listeners", "2", "--decisions", "10", "--seed", "7"]
    assert main(few) == 0
    assert "| indifferent | 10 |" in capsys.readouterr().out
    assert main([*few, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["listeners"] == 2
    assert set(told["families"]["indifferent"]) == set(POLICIES)
    assert main(["simulate", "listeners", "--family", "nobody"]) == 1
    assert "no family 'nobody'" in capsys.readouterr().err


def test_every_family_says_what_it_is() -> None:
    assert all(isinstance(family, Family) and len(family.says.split()) > 3 for family in FAMILIES.values())
