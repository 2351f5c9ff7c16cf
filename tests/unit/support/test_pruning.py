"""What is removed from the tests' environments, and from which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.pruning import main, prune

if TYPE_CHECKING:
    from pathlib import Path

KEPT = (
    "dask/bag/core.py",
    "pyarrow/lib.so",
    "botocore/data/s3/2006-03-01/service-2.json.gz",
    "botocore/data/_retry.json",
)
GONE = (
    "pyarrow/libarrow_flight.so.2600",
    "pyarrow/include/arrow/api.h",
    "dask/tests/bag/tests/test_bag.py",
    "botocore/data/ec2/1/x.gz",
)


def test_what_is_unused_goes_and_the_rest_stays(tmp_path: Path) -> None:
    for name in (*KEPT, *GONE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for _ in range(2):  # what is gone already is no error
        prune(tmp_path)
        left = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()}
        assert left == set(KEPT)


def test_where_moto_is_installed_every_service_stays(tmp_path: Path) -> None:
    for name in ("moto/__init__.py", *GONE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    prune(tmp_path)
    left = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()}
    assert left == {"moto/__init__.py", "botocore/data/ec2/1/x.gz"}


def test_an_environment_outside_of_the_checkout_is_left_alone(tmp_path: Path) -> None:
    packages = tmp_path / "lib/python3.11/site-packages"
    (packages / "pyarrow/include").mkdir(parents=True)
    assert "only the tests' own" in str(main([str(tmp_path)]))
    assert (packages / "pyarrow/include").exists()
