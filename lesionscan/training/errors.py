"""The exception of the training."""


class TrainingError(ValueError):
    """Raised if a training is impossible with the given options or films; the message says why."""
