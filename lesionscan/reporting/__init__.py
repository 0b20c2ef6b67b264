"""Findings -> files: the only place that writes results."""
