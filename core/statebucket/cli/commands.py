"""All commands, in the order in which the help lists them."""

from statebucket.cli import copying, doctor, keys, lifecycle, removal, show
from statebucket.cli.app import app

for module in (show, doctor, lifecycle, keys, removal, copying):
    module.register(app)

__all__ = ["app"]
