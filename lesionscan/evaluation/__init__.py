"""Candidates against truth; reads result files and arrays only."""
