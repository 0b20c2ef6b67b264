"""Known films -> a scorer file: what `lesionscan train` runs.

Needs the packages of the extra `train` (PyTorch and others); nothing else imports this room.
"""
