"""What a person can act on: one line each, printed without a traceback."""


class SetupFailed(Exception):
    """Starting can't go on; the message says why and what to do."""
