"""Which machines a webhook may reach: those of the public internet, unless its channel allows private ones.

An address in the environment is written by the operator, but a name in it can be pointed anywhere later, also at the
metadata service of a cloud. So a name is resolved once, every address it has is looked at, and the connection goes to
the address that was looked at.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

NAT64 = IPv6Network("64:ff9b::/96")
IPV4_BITS = 0xFFFFFFFF


class PrivateAddress(Exception):
    """The name means a machine that is not of the public internet."""


def addresses_of(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The IP addresses that a name has, in the resolver's order.

    Raises:
        PrivateAddress: any of them is private, and that is not allowed.
        OSError: the name can't be resolved.
    """
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    addresses = list(dict.fromkeys(found))
    if not allow_private and not all(is_public(address) for address in addresses):
        raise PrivateAddress
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address, and the IPv4 address that it may carry inside, belongs to the public internet."""
    ip = ip_address(address.partition("%")[0])
    return all(each.is_global and not each.is_multicast for each in (ip, *_carried(ip)))


def _carried(ip: IPv4Address | IPv6Address) -> list[IPv4Address]:
    if isinstance(ip, IPv4Address):
        return []
    carried = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in NAT64:
        carried.append(IPv4Address(int(ip) & IPV4_BITS))
    return [each for each in carried if each is not None]
