"""The scorer: its file, network and terms."""
