"""All commands, in the order in which the help lists them."""

from statebucket.cli import copying, doctor, keys, lifecycle, listings, removal, show, sweeping
from statebucket.cli.app import app

for module in (show, listings, doctor, lifecycle, keys, removal, sweeping, copying):
    module.register(app)

__all__ = ["app"]
