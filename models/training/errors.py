"""What stops a training or a measurement; apart from the rest, so that reading a corpus needs no torch."""


class TrainingError(Exception):
    """Work that cannot go on: the message says why, which folder or file it is about, and what to do."""
