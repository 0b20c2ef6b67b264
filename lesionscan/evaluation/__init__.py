"""Compare candidates with truth; reads result and truth files of any program.

`evaluate.evaluate` works on folders; `scores.score_film` and `summary.summarise` work on points in
memory.
"""
