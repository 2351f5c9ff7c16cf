"""Object names: reversible, free of collisions, and no way out of a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from statebucket import errors
from statebucket.contract.segments import check_text_form, decode
from statebucket.store import layout
from statebucket.store.layout import Layout
from support.selection import examples
from support.texts import texts
from support.values import Name

if TYPE_CHECKING:
    from collections.abc import Callable

executions = texts
tenants = st.none() | texts
keys = texts.filter(lambda key: not key.startswith("exec:"))


Place = tuple[str | None, str | None, str]


def name_of(names: Layout, place: Place) -> str:
    """The object of a key: of a tenant or none, of an execution or none."""
    tenant, execution, key = place
    if execution is None:
        return names.key(tenant, key)
    return names.key_of(tenant, execution, key)


places: st.SearchStrategy[Place] = st.tuples(tenants, st.none(), keys) | st.tuples(
    tenants, executions, texts
)


@pytest.mark.slow
@settings(max_examples=examples(150, 500))
@given(places, places)
@example(("a", "b_c", "d"), ("a_b", "c", "d"))
@example((None, "a", "b/c"), (None, "a/b", "c"))
@example(("a", None, "b/keys/c"), ("a/keys/b", None, "c"))
@example((None, "keys", "k"), ("keys", None, "k"))
def test_different_places_have_different_names(one: Place, other: Place) -> None:
    names = Layout("p")
    assert (name_of(names, one) == name_of(names, other)) == (one == other)


@pytest.mark.slow
@settings(max_examples=examples(150, 500))
@given(places, texts, executions)
def test_a_name_lies_below_its_own_tenant_and_execution_only(
    place: Place, tenant: str, execution: str
) -> None:
    names = Layout("p")
    name = name_of(names, place)
    assert name.startswith(names.tenant(tenant)) == (place[0] == tenant)
    for scope in (tenant, None):
        below = name.startswith(names.execution(scope, execution))
        assert below == (place[:2] == (scope, execution))
    assert name.startswith(names.scope(place[0]))
    assert name.count("/") == names.scope(place[0]).count("/") + (1 if place[1] is None else 2)


segments = st.sampled_from(
    [
        *(
            "tenants",
            "shared",
            "owners",
            "snapshots",
            "executions",
            "keys",
            "leases",
            "p",
            "exec~3A",
        ),
        *("a", "a.b", ".a", "a.", ".", "..", "", "a b", "~2E", "~2e", "é", "a\n", "\n", "exec~3A"),
    ]
)


@given(st.lists(segments | texts, max_size=7).map("/".join), st.sampled_from(["", "p", "p.q/r"]))
@example("p/tenants/a/executions/b/c", "p")
@example("pxq/r/tenants/a/keys/c", "p.q/r")
@example("tenants/a/keys/c\n", "")
def test_a_name_is_read_alike_the_first_time_and_later(name: str, prefix: str) -> None:
    later = Layout(prefix)
    for _ in range(100):
        later.parse("")
    for one in (name, f"{prefix}/{name}", f"{prefix}/{name}{'x' * 1000}"):
        place = later.parse(one)
        assert place == Layout(prefix).parse(one)
        assert place is None or (type(place) is layout.Place and later.name(place) == one)


@given(texts, executions, places)
def test_snapshots_leases_owners_and_keys_never_meet(
    tenant: str, execution: str, place: Place
) -> None:
    names = Layout()
    found = [
        names.snapshot(tenant, execution),
        names.lease(tenant, execution),
        names.owner(execution, tenant),
        name_of(names, place),
    ]
    assert len(set(found)) == len(found)
    assert [name for name in found[:3] if name.startswith(names.tenant(tenant))] == found[:2]


@given(places, places, st.sampled_from([("a", "ab"), ("p", "q/p"), ("p", "p-")]))
def test_stores_with_prefixes_side_by_side_do_not_meet(
    one: Place, other: Place, prefixes: tuple[str, str]
) -> None:
    left, right = (Layout(prefix) for prefix in prefixes)
    assert name_of(left, one) != name_of(right, other)
    assert not name_of(left, one).startswith((right.root, right.tenants, right.shared))
    assert not name_of(right, other).startswith((left.root, left.tenants, left.shared))


KINDS: dict[str, Callable[[Layout, str], str]] = {
    "owners/e/": lambda names, id_: names.owner("e", id_),
    "tenants/t/snapshots/": lambda names, id_: names.snapshot("t", id_),
    "tenants/t/leases/": lambda names, id_: names.lease("t", id_),
    "tenants/t/keys/": lambda names, id_: names.key("t", id_),
    "tenants/t/executions/e/": lambda names, id_: names.key("t", f"exec:e:{id_}"),
    "shared/keys/": lambda names, id_: names.key(None, id_),
    "shared/executions/e/": lambda names, id_: names.key(None, f"exec:e:{id_}"),
}


@pytest.mark.parametrize("head", KINDS)
@pytest.mark.parametrize("prefix", ["", "some/prefix"])
@pytest.mark.parametrize(("letter", "size"), [("x", 1), ("€", 9)])
def test_a_whole_name_has_1024_bytes_at_most(
    head: str, prefix: str, letter: str, size: int
) -> None:
    names = Layout(prefix)
    room = 1024 - len(f"{names.root}{head}")
    text = letter * (room // size) + "x" * (room % size)
    name = KINDS[head](names, text)
    assert len(name.encode()) == 1024
    assert name.startswith(names.root + head)
    place = names.parse(name)
    assert place is not None
    assert names.name(place) == name
    assert names.parse(name + "x") is None
    with pytest.raises(errors.InvalidKey, match="1025 bytes"):
        KINDS[head](names, text + "x")


@given(texts, texts)
def test_keys_of_an_execution_with_a_colon_have_no_text_form(left: str, right: str) -> None:
    with pytest.raises(errors.InvalidKey, match=r"store\.execution"):
        check_text_form("iter_keys", f"{left}:{right}")


@given(executions.filter(lambda id_: ":" not in id_), texts)
def test_the_rest_of_an_execution_key_may_hold_anything(execution: str, rest: str) -> None:
    names = Layout()
    assume(rest)
    name = names.key(None, f"exec:{execution}:{rest}")
    assert decode(name.removeprefix(names.execution(None, execution))) == rest
    assert name == names.key_of(None, execution, rest)


def test_a_subclass_of_str_names_what_its_text_names() -> None:
    names = Layout()
    assert names.tenant(Name.ACME) == names.tenant("acme")
    assert names.owner(Name.ACME, Name.ACME) == names.owner("acme", "acme")
    assert names.snapshot(Name.ACME, Name.ACME) == names.snapshot("acme", "acme")
    assert names.key(Name.ACME, Name.ACME) == names.key("acme", "acme")


prefixes = st.just("") | st.lists(st.text("ab-_.~09", min_size=1, max_size=4), max_size=3).map(
    "/".join
)


@st.composite
def any_place(draw: st.DrawFn) -> layout.Place:
    """The place of any object that a store writes."""
    kind: layout.Kind | None = draw(st.sampled_from(["snapshot", "lease", "owner", "key", None]))
    if kind == "key":
        return layout.Place("key", draw(tenants), None, draw(keys))
    if kind is None:
        return layout.Place("key", draw(tenants), draw(executions), draw(texts))
    return layout.Place(kind, draw(texts), draw(executions))


@settings(max_examples=examples(150, 500))
@given(prefixes, any_place())
def test_what_is_written_is_read_back(prefix: str, place: layout.Place) -> None:
    names = Layout(prefix)
    try:
        name = names.name(place)
    except errors.InvalidKey:
        assume(False)  # noqa: FBT003  (longer than a name may be)
    assert names.parse(name) == place
    if place.kind == "key" and ":" not in (place.execution or ""):
        assert names.key(place.tenant, place.public_key) == name
    if place.tenant is not None:
        assert names.tenant_of(names.tenant(place.tenant)) == place.tenant
    if place.kind == "key" and place.execution is not None:
        prefix = names.execution(place.tenant, place.execution)
        assert names.execution_of(place.tenant, prefix) == place.execution


AREAS = ["tenants", "shared", "owners", "snapshots", "executions", "keys", "leases"]
ODD = ["~2F", ".", "~2f", "é", "a:b", "a~3Ab", "exec~3Aa~3Ab", "a\n", ""]
parts = st.sampled_from(["p", "a", *AREAS, *ODD])


@pytest.mark.slow
@settings(max_examples=examples(500, 1000))
@given(st.lists(parts, max_size=7).map("/".join) | st.text(max_size=40))
def test_any_other_text_is_the_name_of_no_object(name: str) -> None:
    for names in (Layout("p"), Layout()):
        place = names.parse(name)
        assert place is None or names.name(place) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "p",
        "p/",
        "tenants/t/keys/k",
        "q/tenants/t/keys/k",
        "p/tenants/t/keys",
        "p/tenants/t/keys/",
        "p/tenants/t/keys/a/b",
        "p/tenants/t/",
        "p/tenants/t/other/k",
        "p/tenants/t/snapshots/e.json~",
        "p/tenants/t/keys/exec~3Ae~3Ak",  # which lies below executions/
        "p/shared/snapshots/e",
        "p/shared/leases/e",
        "p/owners/e",
        "p/owners/e/t/u",
        "p/tenants/t/keys/" + "k" * 1024,
        "p/tenants/t/keys/tenants/t/keys/k",  # of a store with a longer prefix
    ],
)
def test_a_name_of_another_form_is_none_of_ours(name: str) -> None:
    assert Layout("p").parse(name) is None


def test_the_areas_are_what_a_store_writes_below() -> None:
    assert Layout("p").areas == ("p/tenants/", "p/shared/", "p/owners/")
    assert Layout("p", owner_index=False).areas == ("p/tenants/",)
