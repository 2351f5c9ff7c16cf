"""The benchmark runs: our store, on each service, for one small round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.speed import aims
from benchmarks.speed.report import Results

if TYPE_CHECKING:
    from typing import Any

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_round_measures_every_call_of_our_store(tmp_path: Path) -> None:
    command = [
        *[sys.executable, "-m", "benchmarks.speed", "--rounds", "1", "--sizes", "1 KiB"],
        *["--subjects", "statebucket", "--only", "calls", "--output", str(tmp_path)],
        *["--longest", "0.1"],
    ]
    path = [str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    subprocess.run(command, env=env, check=True, timeout=280, capture_output=True)

    found: dict[str, Any] = json.loads((tmp_path / "results.json").read_text())
    ours = [r for r in found["records"] if r["subject"] == "statebucket"]
    assert len({(r["cloud"], r["case"]) for r in ours}) == len(ours) == 3 * 8
    alone = found["about"]["server_requests_per_second"]
    for record in ours:
        assert record["requests"] == record["operations"] > 0  # one request a call
        assert record["cpu"] > 0
        # Or it would be the server's speed that is measured.
        assert record["operations"] / record["wall"] < alone[record["cloud"]] / 2
    assert "statebucket" in (tmp_path / "tables.md").read_text()


@pytest.mark.parametrize(
    "options",
    [
        ["--clouds", "s3,moon"],
        ["--sizes", "2 KiB"],
        ["--only", "calls,nothing"],
        ["--rounds", "0"],
        ["--latency", "-1"],
        ["--longest", "0"],
        ["--subjects", "no one's"],
    ],
)
def test_what_cannot_be_chosen_is_told_before_anything_is_measured(options: list[str]) -> None:
    path = [str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed", *options],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 2
    assert options[0] in run.stderr.splitlines()[-1]


def test_an_aim_that_is_missed_is_in_bold_and_one_that_was_not_measured_is_left_out() -> None:
    def record(subject: str, operation: str, cpu: float) -> dict[str, Any]:
        case = f"{operation} 1 KiB, 1 at a time"
        about = {"cloud": "s3", "subject": subject, "case": case, "round": 0}
        return about | {"cpu": cpu, "wall": cpu, "operations": 1}

    found = [record("statebucket, engine=http", "save", 3), record("obstore", "save", 2)]
    found += [record("statebucket, engine=http", "load", 1), record("obstore", "load", 2)]
    _, _, *rows = aims.table(Results({"about": {}, "records": found}))
    lean = "| S3: statebucket, engine=http / obstore | 0.50, 0.60 | **1.50** (1.50) | 0.50 (0.50) |"
    assert rows == [lean + " - |" * 6]


def test_the_aims_tell_over_tls_and_bulk_from_the_rest_and_minima_from_medians() -> None:
    lean, floor = "statebucket, engine=http", "obstore"
    times = {
        "get 1 KiB, 32 at a time, over TLS": ([3.0, 9.0, 5.0], [6.0, 10.0, 9.0]),
        "load 10 MiB, 1 at a time, over TLS": ([5.0], [4.0]),
        "set 64 KiB, 1 at a time": ([1.0], [2.0]),
        "list 10,000": ([3.0], [2.0]),
        "clean 10,000": ([3.0], [2.0]),
    }
    found = [
        {"cloud": "azure", "subject": subject, "case": case, "round": number}
        | {"cpu": value, "wall": value, "operations": 1}
        for case, both in times.items()
        for subject, values in zip((lean, floor), both, strict=True)
        for number, value in enumerate(values)
    ]
    rows = "\n".join(aims.table(Results({"about": {}, "records": found}))).splitlines()
    base = f"| Azure Blob: {lean} / {floor}"
    assert f"{base}, over TLS | 0.50, 0.60 |" + " - |" * 7 + " 0.56 (0.50) |" in rows
    assert f"{base}, 64 KiB | 0.60 | - | - | 0.50 (0.50) |" + " - |" * 5 in rows
    assert f"{base}, 10 MiB, over TLS | 1.20 | - | **1.25** (1.25) |" + " - |" * 6 in rows
    assert f"{base} | 1.50 (1.50) | **1.50** (1.50) |" in rows
