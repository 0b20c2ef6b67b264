"""Tests of the report page: its data, and the page itself in a browser."""
