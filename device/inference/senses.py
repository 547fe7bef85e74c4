"""Opens each sense with its models, as the manifest and the settings say; raises ModelError where one is unusable."""

from __future__ import annotations

from device.config import Config, models_folder, state_folder
from device.inference.detect import Detector, Finder, FullRange, YuNet
from device.inference.face import FacePath
from device.inference.manifest import ModelSpec, load_manifest
from device.inference.network import open_network
from device.inference.text import TextPath, calibration_from, load_tokenizer
from device.inference.voice import SileroDetector, VoicePath
from device.signals import ModelError

NAMES = ("face", "face_short_range", "face_full_range", "face_yunet", "voice", "text", "text_tokenizer")


def specs(config: Config) -> dict[str, ModelSpec]:
    """The models by name."""
    models = load_manifest(models_folder(config), state_folder(config))
    missing = [name for name in NAMES if name not in models]
    if missing:
        raise ModelError(f"{models_folder(config) / 'manifest.toml'}: has no {', '.join(missing)}; reinstall attune")
    return models


def open_face(config: Config) -> FacePath:
    """From pictures to estimates of each person."""
    face = specs(config)["face"]
    return FacePath(open_detector(config), open_network(face), face.calibration.get("temperature", 1.0), config.face)


def open_detector(config: Config) -> Detector:
    """What finds faces: YuNet where it has been fetched, else MediaPipe's full-range network."""
    models = specs(config)
    return Detector(_finder(config, models), open_network(models["face_short_range"]))


def open_voice(config: Config) -> VoicePath:
    """From sound to estimates of each utterance."""
    voice = specs(config)["voice"]
    return VoicePath(SileroDetector, open_network(voice), voice.calibration, config.voice)


def open_text(config: Config) -> TextPath:
    """From sentences to estimates."""
    models = specs(config)
    tokenizer = load_tokenizer(models["text_tokenizer"].read())
    return TextPath(tokenizer, open_network(models["text"]), calibration_from(models["text"].calibration))


def _finder(config: Config, models: dict[str, ModelSpec]) -> Finder:
    yunet = models["face_yunet"]
    if config.face.detector == "yunet" or (config.face.detector == "auto" and yunet.path.exists()):
        try:
            return YuNet(yunet.read())
        except ModelError:
            if config.face.detector == "yunet":
                raise
    return FullRange(open_network(models["face_full_range"]))
