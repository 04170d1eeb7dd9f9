"""Programs of two users."""

import pytest
from flask import Flask

from tests.support.program import Program
from tests.support.visitor import Visitor


@pytest.fixture
def program(app: Flask, ada: Visitor) -> Program:
    """A program of Ada's."""
    return Program.signed_in(app, ada.email)


@pytest.fixture
def other(app: Flask, ben: Visitor) -> Program:
    return Program.signed_in(app, ben.email)
