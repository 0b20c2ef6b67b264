"""Names of the files in a truth folder.

`images/NAME.png` (or another of `IMAGE_ENDINGS`) is the film; its masks are under `masks/`.
"""

IMAGE_ENDINGS = (".dcm", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
LESIONS_ENDING = ".lesions.png"
"""Label image of the lesions, one number per lesion; follows the film's name."""
BONE_ENDING = ".bone.png"
"""Bone mask: not 0 = bone."""
BONES_ENDING = ".bones.png"
"""Label image of the bones, one number per bone."""
