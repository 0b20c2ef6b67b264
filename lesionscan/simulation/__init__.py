"""Films with known lytic lesions: phantoms, and lesions planted in real films.

`body` and `parts` say what the beam passes and where lesions take bone away, `random_lesions` draws
lesions, `planting` puts them into real films, `exposure` makes a film of a body, and `phantom` puts
all of it together. The `*_folder` modules write films with their truth, `samples` the samples.
Everything follows from seeds: the same call gives the same bytes.
"""
