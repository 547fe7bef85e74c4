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


def specs(config: Config) -> dict[str, ModelSpec]:
    """The models by name."""
    return load_manifest(models_folder(config), state_folder(config))


def spec(config: Config, name: str) -> ModelSpec:
    """One model by name."""
    try:
        return specs(config)[name]
    except KeyError:
        manifest = models_folder(config) / "manifest.toml"
        raise ModelError(
            f"{manifest}: has no {name}; restore it by `git checkout models` or reinstall attune"
        ) from None


def open_face(config: Config) -> FacePath:
    """From pictures to estimates of each person."""
    face = spec(config, "face")
    temperature = face.calibration.get("temperature", 1.0)
    return FacePath(open_detector(config), open_network(face), temperature, config.face, face.sha256)


def open_detector(config: Config) -> Detector:
    """What finds faces: YuNet where it has been fetched, else MediaPipe's full-range network."""
    import cv2

    cv2.setNumThreads(1)  # the other cores are for the other senses
    return Detector(_finder(config), open_network(spec(config, "face_short_range")))


def open_voice(config: Config) -> VoicePath:
    """From sound to estimates of each utterance."""
    voice = spec(config, "voice")
    return VoicePath(SileroDetector, open_network(voice), voice.calibration, config.voice, voice.sha256)


def open_text(config: Config) -> TextPath:
    """From sentences to estimates."""
    text = spec(config, "text")
    tokenizer = load_tokenizer(spec(config, "text_tokenizer").read())
    return TextPath(tokenizer, open_network(text), calibration_from(text.calibration))


def _finder(config: Config) -> Finder:
    if config.face.detector != "mediapipe":
        yunet = spec(config, "face_yunet")
        if config.face.detector == "yunet" or yunet.path.exists():
            return _yunet(config, yunet)
    return FullRange(open_network(spec(config, "face_full_range")))


def _yunet(config: Config, yunet: ModelSpec) -> Finder:
    try:
        return YuNet(yunet.read())
    except ModelError:
        if config.face.detector == "yunet":
            raise
    return FullRange(open_network(spec(config, "face_full_range")))
