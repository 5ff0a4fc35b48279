"""How often an address may ask what nobody has to be signed in for: beginning a sign-in, or sending a wrong token.

Kept in this process: what several copies of `serve` allow adds up. The door that clusters call has no such limit, and
neither have files or anything that somebody does who is signed in: a right token passes, whoever shares its address.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from typing import Literal

from fastapi import Request
from prometheus_client import Counter

from governance.errors import TooManyRequests
from governance.settings import Web

_MINUTE_S = 60.0
_IPV6_SITE_BITS = 64  # one household or office has all the addresses of such a network
_ADDRESS_CHARACTERS_MAX = 64

_REFUSED = Counter("governance_rate_limited_total", "Requests refused because their address asked too often.", ["what"])


class Rate:
    """So many a minute for each address, all at once or one after the other (GCRA, a leaky bucket in one number).

    What is remembered of an address is when its minute would be used up evenly; of `addresses_max` at most, and the
    one that asked longest ago is forgotten first.
    """

    def __init__(self, per_minute: int, addresses_max: int) -> None:
        self.every_s = _MINUTE_S / per_minute
        self.addresses_max = addresses_max
        self._used_until_s: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str, now_s: float) -> float:
        """Count one for this address. Returns 0, or, not counting it, after how many seconds it may ask again."""
        with self._lock:
            until_s = max(self._used_until_s.get(address, now_s), now_s) + self.every_s
            wait_s = until_s - now_s - _MINUTE_S
            if wait_s <= self.every_s * 1e-6:  # sums of floats
                self._used_until_s[address] = until_s
                wait_s = 0.0
            self._used_until_s.move_to_end(address)
            if len(self._used_until_s) > self.addresses_max:
                self._used_until_s.popitem(last=False)
        return wait_s


class Rates:
    """The rates of one listener, in `app.state.rates`."""

    def __init__(self, web: Web) -> None:
        self.sign_in = Rate(web.sign_in_requests_per_minute, web.rate_addresses_max)
        self.wrong_token = Rate(web.wrong_tokens_per_minute, web.rate_addresses_max)


def limited_sign_in(request: Request) -> None:
    """Declares a route as part of signing in. Raises TooManyRequests."""
    count(request, "sign_in")


def count(request: Request, what: Literal["sign_in", "wrong_token"]) -> None:
    """Count one for the caller's address. Raises TooManyRequests."""
    rate: Rate = getattr(request.app.state.rates, what)
    wait_s = rate.take(address_of(request), time.monotonic())
    if wait_s > 0:
        _REFUSED.labels(what).inc()
        raise TooManyRequests("Your address has asked too often.", retry_after_s=math.ceil(wait_s))


def address_of(request: Request) -> str:
    """Who calls, as far as it counts here. The listener has put a trusted proxy's word in place of its own address."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:_ADDRESS_CHARACTERS_MAX]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _IPV6_SITE_BITS), strict=False))
