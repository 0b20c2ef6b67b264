"""Lesions planted in real films: bone removed where an outline says that there is bone."""
