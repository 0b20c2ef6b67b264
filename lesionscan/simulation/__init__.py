"""Films with known lytic lesions: phantoms, and lesions planted in real films.

`body` and `parts` say what the beam passes, `exposure` makes the film of it, `lesions` and
`random_lesions` take bone away, `phantom` puts them together; `planting` does the same to real
films. The `*_folder` modules write films with their truth, `samples` the sample images. Everything
follows from seeds: the same call gives the same bytes.
"""
