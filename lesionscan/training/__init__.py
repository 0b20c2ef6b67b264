"""Training of a scorer from films with known lesions, for `lesionscan train`.

Needs the packages of the extra `train` (PyTorch and others).
"""
