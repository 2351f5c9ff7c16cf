"""Which part a machine runs, according to the services for array jobs."""

from __future__ import annotations

import pytest

from statebucket import errors
from statebucket.scale.arrays import Share, share

CLOUD_RUN = {
    "CLOUD_RUN_TASK_INDEX": "2",
    "CLOUD_RUN_TASK_COUNT": "5",
    "CLOUD_RUN_EXECUTION": "sweep-x7f",
}
BATCH = {
    "AWS_BATCH_JOB_ARRAY_INDEX": "0",
    "AWS_BATCH_JOB_ARRAY_SIZE": "4",
    "AWS_BATCH_JOB_ID": "6c22c1f5-89aa:0",
}
KUBERNETES = {"JOB_COMPLETION_INDEX": "3", "JOB_COMPLETIONS": "4", "HOSTNAME": "sweep-9-3"}
SLURM = {
    "SLURM_ARRAY_TASK_ID": "3",
    "SLURM_ARRAY_TASK_COUNT": "3",
    "SLURM_ARRAY_TASK_MIN": "1",
    "SLURM_ARRAY_JOB_ID": "77",
}
GOOGLE = {"BATCH_TASK_INDEX": "1", "BATCH_TASK_COUNT": "2", "BATCH_JOB_UID": "j-1"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (CLOUD_RUN, Share(2, 5, "sweep-x7f", "CLOUD_RUN_TASK_INDEX")),
        (BATCH, Share(0, 4, "6c22c1f5-89aa", "AWS_BATCH_JOB_ARRAY_INDEX")),
        (KUBERNETES, Share(3, 4, "sweep-9", "JOB_COMPLETION_INDEX")),
        (SLURM, Share(2, 3, "77", "SLURM_ARRAY_TASK_ID")),
        (GOOGLE, Share(1, 2, "j-1", "BATCH_TASK_INDEX")),
    ],
)
def test_each_service_says_it_by_variables_of_its_own(
    environment: dict[str, str], expected: Share
) -> None:
    assert share(environment) == expected


def test_what_is_given_comes_before_our_variable_and_that_before_the_services() -> None:
    environment = CLOUD_RUN | {"STATEBUCKET_PARTITION": "2/3", "STATEBUCKET_RUN": "mine"}
    assert share(environment) == Share(1, 3, "mine", "STATEBUCKET_PARTITION")
    assert share(environment, "4/7") == Share(3, 7, "mine", "--partition")
    assert share(environment, "4/7", "other") == Share(3, 7, "other", "--partition")
    assert share(CLOUD_RUN, run="other") == Share(2, 5, "other", "CLOUD_RUN_TASK_INDEX")


def test_a_job_of_one_task_has_everything() -> None:
    assert share(CLOUD_RUN | {"CLOUD_RUN_TASK_INDEX": "0", "CLOUD_RUN_TASK_COUNT": "1"}) is None
    assert share({"HOSTNAME": "laptop-1"}) is None


@pytest.mark.parametrize(
    "given",
    [
        "0/3",
        "4/3",
        "1",
        "1/",
        "a/b",
        "1/0",
        "-1/3",
        "1/1000000",
        "1/3/5",
        "",
        "\u0663/\u0665",
        "1/12501",
    ],
)
def test_a_part_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="must read I/N"):
        share({}, given)


def test_a_part_of_our_variable_that_is_empty_is_not_the_whole() -> None:
    with pytest.raises(errors.InvalidArgument, match="STATEBUCKET_PARTITION must read I/N"):
        share({"STATEBUCKET_PARTITION": ""})


@pytest.mark.parametrize(
    "host", ["sweep-9-3.sweep.ns.svc.cluster.local", "ip-10-0-1-17", "sweep-9-13", "sweep-9-4", ""]
)
def test_a_host_s_name_that_does_not_end_with_the_number_names_no_run(host: str) -> None:
    """Pods of one job would each have a run, and a division, of their own."""
    alone = share(KUBERNETES | {"HOSTNAME": host})
    assert alone is not None
    assert alone.run == ""
    assert share(KUBERNETES | {"HOSTNAME": host, "STATEBUCKET_RUN": "r"}) == Share(
        3, 4, "r", "JOB_COMPLETION_INDEX"
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"JOB_COMPLETION_INDEX": "3"}, "JOB_COMPLETIONS is not: set it"),
        (KUBERNETES | {"JOB_COMPLETIONS": "3"}, "must be below JOB_COMPLETIONS"),
        (CLOUD_RUN | {"CLOUD_RUN_TASK_INDEX": "-1"}, "must be numbers"),
        (CLOUD_RUN | {"CLOUD_RUN_TASK_COUNT": "many"}, "must be numbers"),
        (CLOUD_RUN | {"CLOUD_RUN_TASK_INDEX": "\u0663"}, "must be numbers"),
        (SLURM | {"SLURM_ARRAY_TASK_ID": "0"}, "must be below"),
    ],
)
def test_half_a_statement_is_an_error_and_not_the_whole_store(
    environment: dict[str, str], message: str
) -> None:
    with pytest.raises(errors.InvalidArgument, match=message):
        share(environment)
