"""Results on disk: a film's record, its files, writing them whole, reading them back.

Nobody else names a result's file, and nothing that is read here is trusted: a folder may have been
half copied, edited, or made by somebody else.
"""
