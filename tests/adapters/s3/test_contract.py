"""The contract on S3 emulators, and the requests that each call sends there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.s3.suites import S3Contract, S3Requests

if TYPE_CHECKING:
    from support.servers import Server


class OnMoto:
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, moto: Server) -> Server:
        return moto


class OnMinistack:
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, ministack: Server) -> Server:
        return ministack


class TestMoto(OnMoto, S3Contract):
    pass


class TestMinistack(OnMinistack, S3Contract):
    pass


class TestMotoRequests(OnMoto, S3Requests):
    pass


class TestMinistackRequests(OnMinistack, S3Requests):
    pass


class TestMotoHTTP(OnMoto, S3Contract):
    engine = "http"
    # Moto takes long for thousands of objects: with this engine ministack shows the pages.
    test_any_number_of_keys: Any = None
    test_listings_go_over_several_pages: Any = None
    test_more_tenants_than_a_page: Any = None


class TestMinistackHTTP(OnMinistack, S3Contract):
    engine = "http"


class TestMotoHTTPRequests(OnMoto, S3Requests):
    engine = "http"
    test_listing_tenants: Any = None  # as above


class TestMinistackHTTPRequests(OnMinistack, S3Requests):
    engine = "http"
