"""Body parts: which bones lie where, drawn from textbook proportions."""
