"""How users of an SQLite file fix problems that a store may have."""

from __future__ import annotations

from statebucket.port.remedies import Remedies, Remedy

REMEDIES = Remedies(
    rights=Remedy(command="chmod u+rw", advice="make the file and its directory writable"),
    tenant_rights=Remedy(command="chmod u+rw", advice="make the file and its directory writable"),
    bucket=Remedy(command="mkdir", advice="create the file's directory"),
)
