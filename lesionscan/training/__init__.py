"""Known films -> a scorer file: what `scripts/train_scorer.py` runs.

Needs the packages of the extra `train` (PyTorch and others); nothing else imports this room.
"""
