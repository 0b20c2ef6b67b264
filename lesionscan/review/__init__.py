"""Review of results: serve the report page, save decisions, and apply them.

`record` defines the file of a review, `store` saves it, `application` and `server` serve the page
to a browser on this machine, `apply` turns a review into tables and a truth folder.
"""
