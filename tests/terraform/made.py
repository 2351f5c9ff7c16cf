"""What Terraform created from the modules on a local server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from support.servers import Server
    from terraform.tool import Terraform


class Made(NamedTuple):
    """What Terraform created, and where."""

    terraform: Terraform
    server: Server
    plain: dict[str, Any]
    tenants: dict[str, Any]
    example: dict[str, Any]
