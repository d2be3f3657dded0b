"""What keeps a training from starting or going on."""

from equipoise.inference.errors import InferenceError


class TrainingDataError(InferenceError):
    """The cases to train on are not what training takes; the sentence names the file."""


class CheckpointError(InferenceError):
    """A checkpoint is absent, damaged, or of another run."""
