"""Names of the files in a truth folder: what `phantom`, `plant` and `review` write and others read.

`images/NAME.png` (or another of `IMAGE_ENDINGS`) is the film; its masks are under `masks/`.
"""

IMAGE_ENDINGS = (".dcm", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
LESIONS_ENDING = ".lesions.png"
"""Behind a film's name: its label image, one number per lesion."""
BONE_ENDING = ".bone.png"
"""Its bone mask: not 0 = bone."""
BONES_ENDING = ".bones.png"
"""Its label image of bones, one number per bone."""
