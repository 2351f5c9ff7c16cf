"""Whether a bucket is fit for state: what ``statebucket doctor`` runs.

`Examination` asks what can be asked through the port of any adapter. What only a service's own API
tells (identity, versioning, soft delete, clock) an adapter adds by offering `Examined`.
"""

from statebucket.doctor.clock import clock_finding
from statebucket.doctor.examination import Examination
from statebucket.doctor.findings import Examined, Finding, Status

__all__ = ["Examination", "Examined", "Finding", "Status", "clock_finding"]
