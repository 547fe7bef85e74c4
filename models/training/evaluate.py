"""`make evaluate`: measures the shipped models and writes metrics.json, the plots and docs/models.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from device.signals import ModelError
from models.training import report
from models.training.errors import TrainingError

PROBLEMS = (OSError, ValueError, ModelError, TrainingError)
"""What an absent or broken corpus or model file raises."""
CHAPTERS: Mapping[str, str] = {
    "face": "models.training.face_evaluate",
    "sequence": "models.training.sequence_evaluate",
    "voice": "models.training.voice_evaluate",
    "personal": "models.training.personal",
    "text": "models.training.text_evaluate",
    "sound": "models.training.sound_evaluate",
    "lyrics": "models.training.lyrics_evaluate",
    "reliability": "models.training.degrade",
    "fusion": "models.training.fusion_weights",
}
"""In the order of docs/models.md; each module has `evaluate(data, models, plots) -> Findings`."""


def evaluate(chapters: Sequence[str], data: Path, models: Path, docs: Path) -> dict[str, str]:
    """Measure each chapter, write its `models`/<chapter>/metrics.json, then `docs`/models.md of all that are known.

    Returns what kept a chapter from being measured, such as an absent corpus, by chapter; its metrics stay as they are.
    """
    from tqdm import tqdm

    problems = {}
    for chapter in tqdm(chapters, desc="evaluate", unit="chapter", disable=None):
        start = time.monotonic()
        try:
            found = import_module(CHAPTERS[chapter]).evaluate(data, models, docs / "models")
        except PROBLEMS as error:
            problems[chapter] = str(error)
            _say(f"{chapter}: not measured: {error}")
            continue
        report.write(found, models / chapter / "metrics.json")
        _say(f"{chapter}: {told(found)} ({time.monotonic() - start:.0f} s)")
    write_docs(models, docs)
    return problems


def told(found: report.Findings) -> str:
    """Return in a few words how many aims were met."""
    verdicts = [verdict for verdict in (row.verdict() for row in found.figures) if verdict]
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    return ", ".join(f"{count} x {verdict}" for verdict, count in counts.items()) or "measured"


def write_docs(models: Path, docs: Path) -> None:
    """Write docs/models.md from every chapter's metrics.json."""
    known = [report.read(models / chapter / "metrics.json") for chapter in CHAPTERS]
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "models.md").write_text(report.render([one for one in known if one]), encoding="utf-8")


def _say(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate by the words of a command line; 1 where something could not be measured, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m models.training.evaluate", description=__doc__)
    parser.add_argument("chapters", nargs="*", metavar="chapter", help=f"of {', '.join(CHAPTERS)}; without any: all")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the corpora")
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of the shipped files")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of models.md and models/*.png")
    parser.add_argument("--docs-only", action="store_true", help="write models.md anew and measure nothing")
    chosen = parser.parse_args(words)
    if unknown := set(chosen.chapters) - CHAPTERS.keys():
        parser.error(f"no chapter {', '.join(sorted(unknown))}; there are {', '.join(CHAPTERS)}")
    if chosen.docs_only:
        write_docs(chosen.models, chosen.docs)
        return 0
    try:
        problems = evaluate(chosen.chapters or list(CHAPTERS), chosen.data, chosen.models, chosen.docs)
    except KeyboardInterrupt:
        print("\nevaluate: stopped; what was measured before is written", file=sys.stderr)
        return 130
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
