"""What operators run on a whole bucket; it may take long.

`copy` moves tenants from one store to another::

    from statebucket import open_store
    from statebucket.admin import copy

    async with open_store("s3://bucket/app") as old, open_store("gs://bucket/app") as new:
        report = await copy(old, new, tenants=["acme"])
"""

from statebucket.admin.copy_report import CopyReport
from statebucket.admin.copying import copy
from statebucket.admin.counting import Inventory, inventory

__all__ = ["CopyReport", "Inventory", "copy", "inventory"]
