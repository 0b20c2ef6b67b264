"""The error of a scorer that cannot be used."""


class ScorerError(ValueError):
    """A scorer that cannot be used; the message says that it is the scorer, why, and the remedy."""
