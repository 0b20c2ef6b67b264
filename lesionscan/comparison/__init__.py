"""Two films of the same bones -> what became of each lesion.

`film` takes what is compared from a file or from results, `registration` finds where the first film
lies on the second, `matching` which candidates are the same, `outlines` outlines them on both films
together, `change` tells how much they changed, and `compare` puts it together as a `record`.
"""

from lesionscan.comparison.compare import Comparison, compare_films
from lesionscan.comparison.film import ComparedFilm, film_of_file, film_of_results
from lesionscan.comparison.refusal import RefusedPairError

__all__ = [
    "ComparedFilm",
    "Comparison",
    "RefusedPairError",
    "compare_films",
    "film_of_file",
    "film_of_results",
]
