"""The shortest job there is."""


def nothing() -> None:
    """Do nothing."""
