"""The difference between this machine's clock and the service's, by the date of a reply."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from statebucket.port.findings import Finding
from statebucket.port.remedies import Remedy

MAX_SKEW = 2.0  # seconds that leases allow clocks to differ
_DATE_STEP = 1.0  # a reply's date has whole seconds


def clock_finding(date: str | None) -> Finding:
    """A finding about this machine's clock, from the ``Date`` header of a reply just received.

    Args:
        date: The header; None if the reply had none.
    """
    try:
        sent = None if date is None else parsedate_to_datetime(date).timestamp()
    except ValueError:
        sent = None
    if sent is None:
        return Finding(check="clock", status="unknown", message="the service's reply has no date")
    skew = time.time() - sent - _DATE_STEP / 2
    message = f"this machine's clock is {skew:+.1f} s from the service's (± {_DATE_STEP / 2} s)"
    if abs(skew) <= MAX_SKEW + _DATE_STEP:
        return Finding(check="clock", status="ok", message=message)
    return Finding(
        check="clock",
        status="warning",
        message=f"{message}: TTLs and leases are off by as much",
        remedy=Remedy(command="timedatectl set-ntp true"),
    )
