"""The error of an unusable scorer."""


class ScorerError(ValueError):
    """Unusable scorer; the message names the scorer, the cause and the remedy."""
