"""Anatomy of the body parts, with textbook proportions."""
