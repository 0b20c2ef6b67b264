"""The trained scorer: its file, its network, and the terms that it may weigh."""
