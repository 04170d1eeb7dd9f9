"""The errors of values that cannot be stored."""


class ResultError(Exception):
    """A value that a task returned, emitted or saved and that cannot be stored; the message gives the reason."""


class NoForm(Exception):
    """A part of a value that has no JSON form; the message gives the reason in sentences, of which "It" is the part.

    The other parts of the value are still stored.
    """


class TooLarge(Exception):
    """A value with more parts than the largest that can be stored."""
