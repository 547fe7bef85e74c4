"""Trains the expression network on FER2013 with FERPlus votes and CK+, by teachers too, and quantizes it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from models.training import loop
from models.training.face_data import Faces, folder_of, load_ckplus, load_fer
from models.training.face_export import INT8, export, measure_files, ship_it
from models.training.face_lesson import (
    Corpus,
    FaceLesson,
    Recipe,
    loss_by_labels,
    loss_of_both_heads,
    read_corpus,
    repeats,
    thinned,
)
from models.training.face_network import WIDE, ExpressionNet, PlainNet, Shape
from models.training.face_scores import InTorch, measured
from models.training.face_teach import load, open_teachers


def train(args: argparse.Namespace, corpus: Corpus) -> None:
    """Train the expression network and write its files."""
    shape = WIDE if args.wide else Shape()
    recipe = Recipe(loss_of_both_heads, repeats(corpus.train.targets), open_teachers(args.teacher), batch=args.batch)
    about = {
        "net": "expression",
        "channels": list(shape.channels),
        "blocks": list(shape.blocks),
        "batch": args.batch,
        "labels": recipe.labels,
        "spread": asdict(recipe.spread),
        "teachers": [folder.name for folder in args.teacher],
        "start": args.start.name if args.start else "",
    }
    torch.manual_seed(args.seed)
    net = ExpressionNet(shape)
    if args.start:
        net.load_state_dict(load(args.start).state_dict())
        loop.note(args.out, {"before": loop.account(args.start)})
    if not args.export_only:
        loop.fit(net, FaceLesson(corpus, recipe), _plan(args), args.out, about, resume=args.resume)
    account = export(load(args.out), corpus, args.out)
    loop.note(args.out, {**account, **measure_files(args.out, *judged_by(args))})
    print(f"wrote {args.out / INT8}; --ship puts it into models/")


def reference(args: argparse.Namespace, corpus: Corpus) -> None:
    """Train the plain CNN of the papers on FER2013's own labels; its measures go into training.json."""
    recipe = Recipe(loss_by_labels, np.ones(len(corpus.train.labels)), batch=args.batch)
    about = {"net": "plain", "batch": args.batch}
    torch.manual_seed(args.seed)
    out = args.out / "reference"
    net = loop.fit(PlainNet(), FaceLesson(corpus, recipe), _plan(args), out, about, resume=args.resume)
    parameters = sum(value.numel() for value in net.parameters())
    scores = measured(InTorch(net), *judged_by(args))[1]
    loop.note(args.out, {"plain_cnn": {"parameters": parameters, **loop.account(out), "scores": scores}})


def judged_by(args: argparse.Namespace) -> tuple[Faces, Faces]:
    """Return the pictures, as they are, by which finished networks are measured: FER2013 public, CK+ kept back."""
    data = folder_of(args.data)
    return thinned(load_fer(data, "public"), args.limit), thinned(load_ckplus(data, test=True), args.limit)


def _plan(args: argparse.Namespace) -> loop.Plan:
    return loop.Plan(args.epochs, args.rate, args.seed, decay=5e-4, optimizer="sgd")


def _arguments() -> argparse.ArgumentParser:
    parser = loop.arguments("face", __doc__, epochs=60, rate=0.1, seed=20261121)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--limit", type=int, default=0, help="pictures of each part, for a trial")
    parser.add_argument("--teacher", type=Path, nargs="+", default=[], help="--out folders of networks that teach")
    parser.add_argument("--start", type=Path, help="--out folder of a training from whose network this one goes on")
    parser.add_argument("--wide", action="store_true", help="a network to teach with, 17 times as large")
    parser.add_argument("--reference", action="store_true", help="train the plain CNN to compare with instead")
    parser.add_argument("--export-only", action="store_true", help="take the best checkpoint as it is")
    parser.add_argument("--ship", action="store_true", help="put what was exported into --models; trains nothing")
    parser.add_argument("--models", type=Path, default=Path("models"))
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Train and quantize by the words of a command line; return its exit status."""
    args = loop.use_threads(words, _arguments())

    def work() -> None:
        if args.ship:
            ship_it(args.out, args.models)
        else:
            (reference if args.reference else train)(args, read_corpus(folder_of(args.data), args.out, args.limit))

    return loop.command("face", work)


if __name__ == "__main__":
    sys.exit(main())
