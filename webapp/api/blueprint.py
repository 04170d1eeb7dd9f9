"""The blueprint of the API."""

from flask import Blueprint

from webapp.current import API

bp = Blueprint("api", __name__, url_prefix=API)
