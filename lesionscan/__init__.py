"""lesionscan: finds, places, measures and shows candidate lytic lesions in bone radiographs.

Research use only; not a diagnosis.

The public names stand in `__init__.pyi`. They are loaded when they are first used, so that
`lesionscan --help`, which needs none of them, does not wait for the numerical libraries.
"""

from lazy_loader import attach_stub

__version__ = "0.2.0"

__getattr__, __dir__, _names = attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]
