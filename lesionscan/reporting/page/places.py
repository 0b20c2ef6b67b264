"""Where the report page and its parts stand under the output folder."""

PAGE_NAME = "report.html"
FOLDER = "report"
"""Holds what the page needs."""
ASSETS_FOLDER = f"{FOLDER}/page"
"""How the page looks and works: the same for every run."""
FILMS_FOLDER = f"{FOLDER}/films"
"""What it shows of each film."""
INDEX = f"{FOLDER}/index.js"
"""The list of all films."""
FILM_ENDINGS = {"view": ".page.js", "film": ".page.jpg", "thumbnail": ".page-s.jpg"}
"""Behind a film's name there: what was found in it, its picture, and a small one."""
