"""Compare the lesions of two films of the same bones.

`film` loads a film from a file or from results, `registration` maps the first film to the second,
`matching` pairs candidates, `rays` samples films along rays, `outlines` outlines candidates on both
films together, `change` computes changes and uncertainties, and `compare` combines these steps into
a `record`.
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
