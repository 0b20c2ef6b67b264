"""Candidates against truth; reads result files and truth files only, whatever program wrote them.

`evaluate.evaluate` is the flow for folders; `scores.score_film` and `summary.summarise` judge
points in memory.
"""
