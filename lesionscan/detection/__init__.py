"""Radiograph -> candidates: no file, no clock, no network."""
