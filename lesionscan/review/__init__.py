"""A reviewer's decisions: kept while the report page is looked at, then made tables and truth.

`record` says what a review is, `store` keeps it, `application` and `server` bring the page to the
browser of this machine, `apply` turns a review into tables and a truth folder.
"""
