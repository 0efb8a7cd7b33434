"""What experiments raise."""


class RunError(ValueError):
    """A run that cannot be done as asked: says what was expected, what came, and the fix."""


class RunStopped(Exception):
    """A signal asked the run to stop, and a checkpoint was written."""
