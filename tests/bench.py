"""`make bench`: what each step costs on this machine, and how old a mood is when a subscriber has it, as JSON."""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from device.config import Config
from device.fusion import Fusion
from device.inference import features
from device.inference.align import aligned
from device.inference.network import open_network
from device.inference.senses import open_detector, open_face, open_text, open_voice, spec
from device.inference.text import clean, load_tokenizer
from device.inference.voice import SileroDetector
from device.music.lyrics import open_lyrics
from device.sensors.media import decode_picture, decode_sound
from device.signals import EMOTIONS, Estimate, Image, Utterance
from models.training import text_reference
from models.training.graph import open_file
from models.training.latency import time_together
from tests.ages import Ages, summary
from tests.daemon import MEDIA, ROOT
from tests.mosquitto import free_port

FORBIDDEN = ("librosa", "sklearn")
DAEMON_S = 45.0
IDLE_S = 15.0
SENTENCE = "I cannot believe that you came all this way just to see me, thank you so very much my dear old friend!"
SONG = "\n\n".join("\n".join(f"{SENTENCE} {verse} times {line}" for line in range(4)) for verse in range(6))


def timed(step: Callable[[], Any], runs: int) -> dict[str, float]:
    """Median and 95th percentile of a step, in milliseconds, after a warm-up."""
    for _ in range(3):
        step()
    spent = np.empty(runs)
    for index in range(runs):
        started = time.perf_counter()
        step()
        spent[index] = time.perf_counter() - started
    return {
        "median_ms": round(1000 * float(np.median(spent)), 3),
        "p95_ms": round(1000 * float(np.quantile(spent, 0.95)), 3),
    }


def scene() -> Any:
    """A 640x480 room with the portrait's face about 120 px high, as at one metre."""
    import cv2

    portrait = decode_picture((MEDIA / "portrait.jpg").read_bytes())
    room = np.full((480, 640, 3), 90, np.uint8)
    room[100:420, 160:480] = cv2.resize(portrait, (320, 320), interpolation=cv2.INTER_AREA)
    return room


def face_steps(runs: int) -> dict[str, Any]:
    room, face, detector = scene(), open_face(Config()), open_detector(Config())
    found = detector.find(room)[0]
    faces = face.find(Image(0.0, room))
    clock = iter(range(1, 1_000_000))
    full_search = open_face(Config())
    return {
        "face: full detection, live": timed(lambda: detector.find(room, turn=next(clock)), runs),
        "face: full detection, still picture": timed(lambda: detector.find(room), runs),
        "face: full detection, live, with align and judge": timed(
            lambda: full_search(Image(float(next(clock)), room)), runs
        ),
        "face: tracked frame": timed(lambda: detector.look(room, found.box), runs),
        "face: align": timed(lambda: aligned(room, found.points), runs),
        "face: judge": timed(lambda: face.judge(faces[0]), runs),
    }


def voice_steps(runs: int) -> dict[str, Any]:
    voice, vad = open_voice(Config()), SileroDetector()
    speech = decode_sound((MEDIA / "speech.wav").read_bytes())
    three_s = np.resize(speech, 48_000)
    utterance = Utterance(3.0, three_s, 16_000)
    judged = timed(lambda: voice.judge(utterance), runs)
    return {
        "voice: activity, 32 ms of sound": timed(lambda: vad.probability(speech[8000:8512]), runs),
        "voice: features of 3 s": timed(lambda: features.voice_picture(features.high_pass(three_s)), runs),
        "voice: judge 3 s, with features": judged,
        "voice: real-time factor": round(judged["median_ms"] / 3000, 5),
    }


def text_steps(runs: int) -> dict[str, Any]:
    text, tokenizer = open_text(Config()), load_tokenizer(spec(Config(), "text_tokenizer").read())
    return {
        "text: tokenize": timed(lambda: tokenizer.encode(clean(SENTENCE)), runs),
        "text: judge, with tokens": timed(lambda: text.judge_text(SENTENCE), runs),
        "text: tokens": len(tokenizer.encode(clean(SENTENCE)).ids),
    }


def lyrics_step(runs: int) -> dict[str, Any]:
    lyrics = open_lyrics(Config())
    return {"lyrics: judge a song of six verses": timed(lambda: lyrics.judge(SONG), runs)}


def ratios(folder: Path, runs: int) -> dict[str, float]:
    """Our networks' times, and in shares of those of graphs of the shapes that others use, called in turn with them."""
    crop, peer_crop = np.zeros((1, 48, 48, 1), np.float32), np.zeros((1, 64, 64, 1), np.float32)
    mini_xception = open_file(MEDIA / "mini_xception.tflite", peer_crop.shape)
    ids = np.random.default_rng(0).integers(0, 10_000, (1, 32))
    distil_roberta = open_file(text_reference.write(folder / "reference.onnx"))
    face, face_ratio = _beside("face", crop, partial(mini_xception.run, peer_crop), runs)
    text, text_ratio = _beside("text", ids, partial(distil_roberta.run, ids), runs)
    return {
        "face: network, ms": face,
        "face: network, in times of mini_XCEPTION's shape in float (64x64, 58 k parameters)": face_ratio,
        "text: network, 32 tokens, ms": text,
        "text: network, in times of DistilRoBERTa's shape in int8 (6 layers, 768 wide)": text_ratio,
    }


def _beside(name: str, given: Any, peer: Callable[[], object], runs: int) -> tuple[float, float]:
    network = open_network(spec(Config(), name))
    times = time_together({name: partial(network.run, given), "peer": peer}, runs, warm_up=3)
    median_ms = times[name]["median_ms"]
    return median_ms, round(median_ms / times["peer"]["median_ms"], 3)


def fuse_step(runs: int) -> dict[str, Any]:
    scores = tuple(0.4 if emotion == "happy" else 0.1 for emotion in EMOTIONS)
    state = Fusion()
    for who in "abcde":
        state = state.heard(Estimate(0.0, "face", scores, 0.8, who))  # type: ignore[arg-type]
    state = state.heard(Estimate(0.0, "voice", scores, 0.8)).heard(Estimate(0.0, "text", scores, 0.8))  # type: ignore[arg-type]
    return {"fuse: five faces, voice and text": timed(lambda: state.at(1.0), runs)}


def daemon(folder: Path) -> dict[str, Any]:
    """RSS, CPU and ages of a daemon that plays the demo evening, and the modules that it imported."""
    import psutil

    mqtt_port, web_port = free_port(), free_port()
    settings = folder / "config.toml"
    settings.write_text(
        f'state = "{folder}"\n[music]\noutput = "null"\n[web]\nport = {web_port}\n'
        f'[mqtt]\ndevice = "bench"\nembedded_port = {mqtt_port}\n'
    )
    command = [sys.executable, "-X", "importtime", "-m", "device", "run", "--demo", "--config", str(settings)]
    with (folder / "imports.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL, cwd=ROOT)
    ages = Ages(mqtt_port, "bench")
    try:
        seen = psutil.Process(process.pid)
        threading.Event().wait(10.0)
        seen.cpu_percent()
        threading.Event().wait(DAEMON_S)
        busy = seen.cpu_percent()
        memory = seen.memory_info().rss / 1e6
        for sensor in ("camera", "microphone"):
            ages.publish(f"{sensor}/set", "off")
        threading.Event().wait(2.0)
        seen.cpu_percent()
        threading.Event().wait(IDLE_S)
        idle = seen.cpu_percent()
    finally:
        ages.close()
        process.terminate()
        process.wait(30)
    imported = set(re.findall(r"\|\s+(\w+)", (folder / "imports.log").read_text(errors="replace")))
    return {
        "age of a mood at the subscriber, ms": summary(ages.ms),
        "daemon: RSS, MB": round(memory, 1),
        "daemon: CPU at 5 pictures a second, % of a core": busy,
        "daemon: CPU idle, camera and microphone muted, % of a core": idle,
        "daemon: heavy imports": sorted(imported & set(FORBIDDEN)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="runs of each step (200)")
    runs = parser.parse_args().runs
    machine = {"machine": platform.machine(), "python": platform.python_version(), "numpy": np.__version__}
    with tempfile.TemporaryDirectory() as folder:
        report = (
            machine
            | face_steps(runs)
            | voice_steps(runs)
            | text_steps(runs)
            | lyrics_step(runs)
            | ratios(Path(folder), runs)
            | fuse_step(runs)
            | daemon(Path(folder))
        )
    print(json.dumps(report, indent=2))
    heavy = report["daemon: heavy imports"]
    if heavy:
        print(f"bench: the daemon has imported {', '.join(heavy)}", file=sys.stderr)
    return int(bool(heavy))


if __name__ == "__main__":
    sys.exit(main())
