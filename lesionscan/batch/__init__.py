"""Runs over many films: finding files, workers, resuming, summaries.

This module imports nothing, because worker processes import it before the numerical libraries may
be loaded (see `lesionscan.batch.pool`).
"""
