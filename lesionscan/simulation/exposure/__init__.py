"""Compute the stored film from thickness maps: physics, tone, collimation, markers."""
