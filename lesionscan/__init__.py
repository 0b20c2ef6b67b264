"""lesionscan: finds, places, measures and shows candidate lytic lesions in bone radiographs.

Research use only; not a diagnosis.
"""

__version__ = "0.1.0"
