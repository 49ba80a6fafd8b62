"""The addresses of pages."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Scalar
from tasks.ingest.http.requests import with_param

ADDRESSES = [
    "http://a.example/items",
    "http://a.example:8080/items?",
    "http://a.example/items?order=id",
    "http://a.example/items?q=a%20b&x=%C3%BC",
    "http://a.example/items?page=1&x=2",
    "http://a.example/a page/\xfc#part",
]


@pytest.mark.parametrize("address", ADDRESSES)
@given(st.integers() | st.floats(allow_nan=False) | st.text(max_size=5))
def test_a_parameter_is_added_as_httpx_adds_it(address: str, value: Scalar) -> None:
    """What a server reads of an address is what httpx's own way gives, and so is the address made of its text."""
    url = httpx.URL(address)

    made = with_param(url, "page", value)

    assert made.params == url.copy_set_param("page", value).params
    assert (made, str(url)) == (httpx.URL(str(made)), str(httpx.URL(address)))
