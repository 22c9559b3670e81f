"""The one error that reaches the user as a sentence instead of a traceback."""


class ClusterError(Exception):
    """Something the user can act on; the message says what to do."""
