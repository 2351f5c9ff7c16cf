"""The contract on S3 emulators, and the requests that each call sends there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.s3.suites import S3Contract, S3Requests

if TYPE_CHECKING:
    from support.servers import Server


class OnMoto:
    # Moto takes 4 ms of a processor for each of thousands of objects: ministack shows the pages.
    test_any_number_of_keys: Any = None
    test_listings_go_over_several_pages: Any = None
    test_a_listing_goes_on_behind_a_page: Any = None
    test_more_tenants_than_a_page: Any = None
    test_more_orphans_than_a_page: Any = None
    test_more_keys_than_a_batch_are_deleted: Any = None
    test_listing_tenants: Any = None
    test_a_listing_begins_behind_a_page: Any = None

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


class TestMinistackHTTP(OnMinistack, S3Contract):
    engine = "http"


class TestMotoHTTPRequests(OnMoto, S3Requests):
    engine = "http"


class TestMinistackHTTPRequests(OnMinistack, S3Requests):
    engine = "http"
