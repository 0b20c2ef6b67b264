"""Make the scripts importable, as they are for each other."""

import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path += [str(SCRIPTS), str(SCRIPTS / "research")]
