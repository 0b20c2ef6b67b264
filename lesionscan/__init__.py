"""Find and measure candidate lytic lesions in bone radiographs.

Research use only; not a diagnosis.

The public names are declared in `__init__.pyi` and imported on first use, so that
`lesionscan --help` does not wait for the numerical libraries.
"""

from lazy_loader import attach_stub

__version__ = "0.2.0"

__getattr__, __dir__, _names = attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]
