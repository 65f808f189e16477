"""The one error family that is the user's to mend: its message is all the command line prints."""


class TevoError(ValueError):
    """Bad input from a user. The message says what came, what was wanted and what to do."""
