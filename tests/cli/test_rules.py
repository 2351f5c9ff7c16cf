"""``lifecycle show`` where rules are written with the service's own command line."""

from __future__ import annotations

from support.command_line import command_line

URL = "az://box/app?engine=http&account=acme"


def test_the_needed_rules_are_shown_in_the_form_that_it_takes() -> None:
    shown = command_line(URL)("lifecycle", "show", "--json").json
    rules = shown["policy"]["rules"]
    assert len(rules) == len(shown["needed"]) == 12
    assert [rule["definition"]["filters"]["prefixMatch"] for rule in rules] == [
        rule["prefixes"] for rule in shown["needed"]
    ]
    assert "policy for its command line" in command_line(URL)("lifecycle", "show").text


def test_there_are_none_without_tags() -> None:
    shown = command_line(f"{URL}&ttl_tags=false")("lifecycle", "show", "--json").json
    assert "policy" not in shown
