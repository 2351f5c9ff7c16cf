"""Does what Azure's Python worker does: loads function_app.py, and calls the route's function.

It reads a request's JSON from each line of its input, and prints the answer's in a line.
"""

from __future__ import annotations

import sys
from pathlib import Path

import azure.functions as func

sys.path.insert(0, str(Path.cwd()))

from function_app import app  # type: ignore[import-not-found]

(function,) = app.get_functions()
trigger = function.get_trigger()
assert (trigger.type, trigger.route) == ("httpTrigger", "step")

for line in sys.stdin:
    request = func.HttpRequest(
        method="POST",
        url="http://localhost/api/step",
        headers={"Content-Type": "application/json"},
        body=line.encode(),
    )
    answer = function.get_user_function()(request)
    assert answer.status_code == 200, answer.get_body()
    sys.stdout.write(f"{answer.get_body().decode()}\n")
    sys.stdout.flush()
