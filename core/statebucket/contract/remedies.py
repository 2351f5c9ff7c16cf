"""How to fix what was found, as a value with a part for each kind of reader.

``str(remedy)`` names the Python call where there is one; the command line shows the command
instead; JSON output has each part as a field of its own.
"""

from __future__ import annotations

import msgspec


class TerraformLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of Terraform that uses a module of the cloud.

    Attributes:
        module: Where the module is, as its ``source`` would be.
        line: The line; empty if using the module at all is the remedy.
    """

    module: str
    line: str = ""

    def __str__(self) -> str:
        if not self.line:
            return f'module "state" {{ source = "{self.module}" … }}'
        return f"{self.line}  # {self.module}"


class Remedy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to fix something. At least one part is set; with several, each alone is enough.

    Attributes:
        advice: What to do, in words; if another part is set, what that part does.
        call: A call of the store, in Python.
        command: A shell command; beside ``call``, the one that does the same.
        terraform: A line of Terraform.
    """

    advice: str = ""
    call: str = ""
    command: str = ""
    terraform: TerraformLine | None = None

    def __str__(self) -> str:
        return self._text(self.call or self.command)

    @property
    def shell(self) -> str:
        """The text for the command line: with the command, not the Python call."""
        return self._text(self.command or self.call)

    def _text(self, action: str) -> str:
        line = "" if self.terraform is None else str(self.terraform)
        ways = "; or ".join(filter(None, (line, action)))
        return ": ".join(filter(None, (self.advice, ways)))
