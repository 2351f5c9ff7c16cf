"""All commands, in the order in which the help lists them."""

from statebucket.cli import copy, doctor, keys, lifecycle, look, removal
from statebucket.cli.app import app

for module in (look, doctor, lifecycle, keys, removal, copy):
    module.register(app)

__all__ = ["app"]
