"""The report page: the view of a film (made by the worker), the run's index, and the page itself.

The page is plain HTML, CSS and JavaScript (`assets/`) that opens from disk. A page opened from disk
cannot fetch files, so its data are scripts: `report/index.js` has a line per film, and
`report/films/NAME.page.js`, loaded when the film is opened, what the page draws of it.
"""
