"""What stops a training."""


class TrainingError(ValueError):
    """A training that cannot be done with what was given; the message says why."""
