"""`python -m cli`: the same as `dormouse`."""

from cli.start import run

run()
