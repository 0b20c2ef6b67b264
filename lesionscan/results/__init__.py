"""Results on disk: names, records, atomic writing, and reading back.

Only this package names result files. Nothing read here is trusted: a folder may have been copied in
part, edited, or made by somebody else.
"""
