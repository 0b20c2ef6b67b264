"""Films with known lytic lesions: phantoms, and lesions planted in real films.

`body` and `parts` model anatomy and the bone removed by lesions, `random_lesions` draws lesions,
`planting` puts them into real films, `exposure` computes the film of a body, and `phantom` combines
these. The `*_folder` modules write films with their truth, `samples` the sample images. All random
numbers come from seeds: the same call gives the same bytes.
"""
