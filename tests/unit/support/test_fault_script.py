"""The fault proxy's script, and what it does to whole connections."""

from __future__ import annotations

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from typing import TYPE_CHECKING

import pytest

from support.fault_proxy.echo import Rig, running_echo, running_rig
from support.fault_proxy.proxy import (
    Answer,
    Callback,
    DropBeforeSend,
    FaultProxy,
    HangBeforeReply,
    Pass,
    ProxyFailed,
    on,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.fault_proxy.record import Recorded


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A server with a proxy before it."""
    with running_rig() as running:
        yield running


def statuses(rig: Rig, *methods: str) -> list[int]:
    """Ask with each method and give the statuses."""
    return [rig.ask(method).status for method in methods]


# The script


def test_planned_faults_are_used_up_in_order(rig: Rig) -> None:
    rig.proxy.plan(Answer(500), Pass(), Answer(503))
    assert len(rig.proxy.pending) == 3
    assert statuses(rig, "GET", "GET", "GET", "GET") == [500, 200, 503, 200]
    assert not rig.proxy.pending


def test_a_planned_fault_waits_for_its_request(rig: Rig) -> None:
    rig.proxy.plan(Answer(500, when=on("PUT")), Answer(503, when=on("GET")))
    assert statuses(rig, "DELETE", "GET", "GET", "PUT") == [200, 503, 200, 500]


@pytest.mark.parametrize(
    "when",
    [on("PUT"), on(contains="%2F"), on(test=lambda request: request.body == b"x")],
    ids=["method", "target", "callable"],
)
def test_predicates_choose_requests(rig: Rig, when: object) -> None:
    assert callable(when)
    rig.proxy.always(Answer(500, when=when))
    assert rig.ask("GET", "/a/b").status == 200
    assert rig.ask("PUT", "/a%2Fb", b"x").status == 500


def test_a_standing_fault_stays_or_is_good_for_so_many(rig: Rig) -> None:
    rig.proxy.always(Answer(500, when=on("GET")), times=2)
    rig.proxy.always(Answer(503, when=on("PUT")))
    assert statuses(rig, "GET", "GET", "GET") == [500, 500, 200]
    assert statuses(rig, "PUT", "PUT", "PUT") == [503, 503, 503]


def test_planned_faults_go_before_standing_ones(rig: Rig) -> None:
    rig.proxy.always(Answer(500))
    rig.proxy.plan(Answer(503), Pass())
    assert statuses(rig, "GET", "GET", "GET") == [503, 200, 500]


def test_healing_forgets_all_faults(rig: Rig) -> None:
    rig.proxy.plan(Answer(503))
    rig.proxy.always(Answer(500))
    rig.proxy.heal()
    assert statuses(rig, "GET", "GET") == [200, 200]


def test_many_clients_at_once_each_get_their_own(rig: Rig) -> None:
    rig.proxy.always(Answer(503, when=on("PUT")), times=50)

    def work(worker: int) -> int:
        client = rig.client()
        for number in range(50):
            target = f"/{worker}/{number}"
            assert client.ask("GET", target).echo["target"] == target
        return sum(client.ask("PUT").status == 503 for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        refused = sum(pool.map(work, range(8)))
    assert refused == 50
    assert (rig.proxy.count("GET"), rig.proxy.count("PUT")) == (400, 400)


# A lost connection of the callback's own must not be taken for that of the proxy's client.
@pytest.mark.parametrize("error", [ZeroDivisionError, ConnectionResetError])
def test_an_error_in_a_callback_is_not_lost(error: type[Exception]) -> None:
    def fail(_request: Recorded) -> None:
        raise error

    running = running_rig()
    rig = running.__enter__()
    rig.proxy.plan(Callback(fail))
    with pytest.raises(ConnectionError):
        rig.ask()
    with pytest.raises(ProxyFailed) as caught:
        running.__exit__(None, None, None)
    assert isinstance(caught.value.__cause__, error)


# Whole connections


def test_frozen_connections_swallow_everything_and_new_ones_work(rig: Rig) -> None:
    old = rig.client()
    old.ask()
    old.give_up_after(0.3)
    assert rig.proxy.freeze_idle() == 1
    with pytest.raises(TimeoutError):
        old.ask("PUT", "/old")
    swallowed = rig.proxy.wait_for(on("PUT"))
    assert rig.client().ask().status == 200
    assert (swallowed.fault, swallowed.forwarded, swallowed.status) == ("frozen", False, None)
    assert rig.echo.asked == ["GET /", "GET /"]


def test_a_frozen_connection_takes_no_planned_fault(rig: Rig) -> None:
    old = rig.client()
    old.ask()
    old.give_up_after(0.3)
    rig.proxy.freeze_idle()
    rig.proxy.plan(Answer(503))
    with pytest.raises(TimeoutError):
        old.ask()
    assert len(rig.proxy.pending) == 1


def test_idle_connections_are_closed_and_busy_ones_are_not(rig: Rig) -> None:
    idle, busy = rig.client(), rig.client()
    idle.ask()
    rig.proxy.plan(HangBeforeReply())
    busy.connection.request("GET", "/")
    rig.proxy.wait_for(lambda request: request.connection == 2)
    assert rig.proxy.close_idle() == 1
    assert rig.proxy.connections == 1
    with pytest.raises(ConnectionError):
        idle.ask()
    busy.give_up_after(0.3)
    with pytest.raises(TimeoutError):
        busy.connection.getresponse()


def test_open_connections_are_counted(rig: Rig) -> None:
    clients = [rig.client() for _ in range(3)]
    for client in clients:
        client.ask()
    assert rig.proxy.connections == 3
    rig.proxy.plan(DropBeforeSend())
    with pytest.raises(ConnectionError):
        clients[0].ask()
    assert rig.proxy.connections == 2


def test_nothing_is_left_of_a_proxy_that_has_ended() -> None:
    before = set(threading.enumerate())
    with running_rig() as rig:
        hanging = rig.client()
        rig.proxy.plan(HangBeforeReply())
        hanging.connection.request("GET", "/")
        rig.proxy.wait_for()
        new = set(threading.enumerate()) - before
        [thread] = [thread for thread in new if thread.name == "fault-proxy"]
        rig.proxy.__exit__(None, None, None)
        assert not thread.is_alive()
        with pytest.raises(ConnectionError):
            hanging.connection.getresponse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", rig.proxy.port), timeout=60)


# TLS


def test_its_certificate_is_not_trusted() -> None:
    with running_echo() as echo, FaultProxy("127.0.0.1", echo.port, tls="untrusted") as proxy:
        assert proxy.url.startswith("https://")
        client = HTTPSConnection("127.0.0.1", proxy.port, timeout=60)
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            client.request("GET", "/")
        assert not proxy.requests


def test_trust_is_all_that_its_certificate_lacks() -> None:
    with running_echo() as echo, FaultProxy("127.0.0.1", echo.port, tls="untrusted") as proxy:
        assert proxy.ca_pem is not None
        context = ssl.create_default_context(cadata=proxy.ca_pem.decode())
        client = HTTPSConnection("127.0.0.1", proxy.port, timeout=60, context=context)
        client.request("GET", "/")
        assert client.getresponse().status == 200
        client.close()
