"""Makes the screenshots of the pages; ``make screenshots`` runs it.

What a terminal got is drawn by rich. A command that is still running shows its bar as it stood.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import re
import tempfile
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from cli.conftest import snapshot
from cli.terminal import Terminal
from statebucket import ExecutionState, Waiting, WaitReason, open_store
from support.servers.moto import running_moto
from support.targets.s3 import raw_client

FOLDER = Path(__file__).parent / "screenshots"
COLUMNS = 84
_TITLE = 38
# Without the web font that rich's own format asks for.
FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg"><style>
.{unique_id}-matrix {{font-family: Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px}}
{styles}
</style><defs>{lines}</defs><rect width="100%" height="100%" rx="8" fill="#0c0c0c"/>
<g transform="translate({terminal_x}, 12)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


def draw(name: str, raw: str) -> None:
    """Draws what a terminal got."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False
    )
    console.print(Text.from_ansi(re.sub(r" *\r?\n", "\n", raw)))
    svg = console.export_svg(code_format=FORMAT, theme=MONOKAI, unique_id=name)
    # rich leaves room for a window's title bar, which there is none of.
    svg = re.sub(
        r'viewBox="0 0 (\S+) (\S+)"',
        lambda size: f'viewBox="0 0 {size[1]} {float(size[2]) - _TITLE:g}"',
        svg,
        count=1,
    )
    # One clip path a line is for text that runs over; ours does not.
    svg = re.sub(r' clip-path="[^"]*"|<clipPath.*?</clipPath>\n?', "", svg, flags=re.DOTALL)
    svg = "\n".join(line.strip() for line in svg.splitlines() if line.strip())
    (FOLDER / f"{name}.svg").write_text(svg + "\n")


def whole(*arguments: str) -> str:
    """All that a command printed, after what it showed while it worked; its URL comes last."""
    terminal = Terminal(*arguments, columns=COLUMNS)
    terminal.end()
    done = re.split(r"\r?\x1b\[(?:1A|2K|\?25[hl])", terminal.raw)[-1]
    shown = " ".join(one for one in arguments if one not in {"--url", arguments[-1]})
    return f"\x1b[1m$ statebucket {shown}\x1b[0m\n{done}"


def running(*arguments: str, share: float) -> str:
    """The bar of a command, at the first look behind a share of its work."""
    terminal = Terminal(*arguments, columns=COLUMNS)
    terminal.end()
    frames = re.split(r"\r?\x1b\[(?:1A|2K)", terminal.raw)
    for frame in frames:
        count = re.search(r"(\d+)/(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", frame))
        if count and int(count[1]) >= share * int(count[2]) and "/s" in frame:
            bar = frame.splitlines()[0]
            return f"\x1b[1m$ statebucket copy s3://prod/app sqlite:///laptop.db\x1b[0m\n{bar}\n"
    raise SystemExit("the copy was too quick to be seen")


async def fill(url: str) -> None:
    """Tenants of different sizes, with executions in every state."""
    dice = random.Random(1)
    states = [*ExecutionState, *(Waiting(reason) for reason in WaitReason)]
    async with open_store(url) as store:
        for tenant, executions in (("acme", 60), ("globex", 35), ("initech", 18), ("hooli", 4)):
            view = store.tenant(tenant)
            for number in range(executions):
                execution = f"order-{tenant}-{number:03}"
                await view.save_snapshot(
                    snapshot(execution, tenant, number, state=dice.choice(states)),
                    ttl=timedelta(days=7),
                )
                await view.set(f"exec:{execution}:rows", bytes(dice.randrange(9_000)))


def main() -> None:
    """Makes all of them."""
    FOLDER.mkdir(exist_ok=True)
    with running_moto() as server, tempfile.TemporaryDirectory() as folder:
        os.environ.update(server.environ)
        raw_client(server).create_bucket(Bucket="prod")
        url = f"s3://prod/app?endpoint_url={server.url}&region=us-east-1"
        asyncio.run(fill(url))
        draw("tenants", whole("tenants", "--url", url))
        draw("doctor", whole("doctor", "--write", "--url", url))
        draw("copy", running("copy", url, f"sqlite:///{folder}/laptop.db", share=0.5))


if __name__ == "__main__":
    main()
