"""The data that a client keeps for each origin."""

import pytest

from asyncclient import Client
from asyncclient.client.site import MAX_SITES, Site
from asyncclient.message.url import parse_url


@pytest.mark.parametrize("is_foreign", [True, False])
async def test_the_origin_made_longest_ago_is_forgotten_and_no_other(is_foreign: bool) -> None:
    async with Client(trust_env=False) as client:
        sites = client._settings.rounds.sites

        def find(number: int) -> Site:
            return sites.find(parse_url(f"http://host-{number}/"), is_foreign)

        first, second = find(0), find(1)
        for number in range(2, MAX_SITES + 1):
            find(number)
        assert find(1) is second
        assert find(0) is not first
        assert find(1) is not second  # it was the oldest when the first was made again
