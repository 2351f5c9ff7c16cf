"""The rules that our Terraform module writes, on a gateway."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from support.fault_proxy.proxy import FaultProxy, RewriteReply
from terraform.hcl import ROOT
from terraform.tool import Terraform

if TYPE_CHECKING:
    from support.fault_proxy.messages import Reply
    from support.fault_proxy.proxy import Recorded
    from support.servers import Server

BUCKET = "terraform-state"
_ROOT = Path(__file__).parents[3] / "terraform" / "roots" / "rgw" / "main.tf"
# The gateway knows neither owners of objects nor encryption: the rules alone are applied.
_RULES = "module.state.aws_s3_bucket_lifecycle_configuration.this"
_MINIMUM = ("x-amz-transition-default-minimum-object-size", "all_storage_classes_128K")


def apply_rules(rgw: Server, folder: Path, mirror: Path | None) -> None:
    """Have Terraform make the bucket and its rules.

    The AWS provider waits until it reads the rules exactly as it wrote them, with a header about
    the sizes that move to other storage classes. The gateway sorts them and has no such header, so
    a proxy answers what the provider waits for; what is written goes to the gateway as it is.

    Args:
        rgw: The gateway.
        folder: An empty folder.
        mirror: Where the provider comes from, see `terraform.tool`.
    """
    shutil.copy(_ROOT, folder)
    shutil.copytree(ROOT, folder / "modules")
    with FaultProxy(rgw.host, rgw.port) as proxy:

        def as_written(reply: Reply, request: Recorded) -> Reply:  # noqa: ARG001
            written = [one for one in proxy.requests if one.method == "PUT" and _of_rules(one)]
            if reply.status != 200 or not written:
                return reply
            return replace(reply, body=written[-1].body, headers=(*reply.headers, _MINIMUM))

        proxy.always(
            RewriteReply(as_written, when=lambda one: one.method == "GET" and _of_rules(one))
        )
        values = {
            "endpoint": proxy.url,
            "access_key": rgw.access_key,
            "secret_key": rgw.secret_key,
        }
        (folder / "terraform.tfvars.json").write_text(json.dumps(values))
        terraform = Terraform(folder, mirror)
        terraform.init()
        terraform.run("apply", "-auto-approve", "-input=false", f"-target={_RULES}")


def _of_rules(request: Recorded) -> bool:
    """Whether a request reads or writes a bucket's rules."""
    return "lifecycle" in request.target
