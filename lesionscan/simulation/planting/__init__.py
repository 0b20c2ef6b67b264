"""Plant lesions in real films by removing outlined bone."""
