"""The report page: a film's view (made by the worker), the run's index, and the page itself.

The page is plain HTML, CSS and JavaScript (`assets/`) that opens from disk. A page opened from disk
may not fetch files, so what it shows stands in scripts: `report/index.js` has a line a film, and
`report/films/NAME.page.js` what the page draws of that film once somebody looks at it.
"""
