"""`python -m lesionscan.cli`: the same as `lesionscan`."""

from lesionscan.cli import main

main()
