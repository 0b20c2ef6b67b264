"""Phantom radiographs with known lytic lesions: physics, anatomy, lesions, film and files.

`make_phantom` makes one, `write_truth_folder` writes many with their truth, `write_samples` the
sample images. Everything follows from seeds: the same call gives the same bytes.
"""
