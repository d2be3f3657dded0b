"""Whose request it is: the address that sent it, or that a proxy of the site names."""

import ipaddress
from collections.abc import Collection
from typing import TypeAlias

IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(remote: str, forwarded_for: str, trusted: Collection[IpNetwork]) -> str:
    """Return the address of whoever sent a request.

    ``X-Forwarded-For`` is written from left to right, each proxy adding whom it heard; it is read from the right and
    only as far as the site's own proxies wrote it, since whatever stands further left is a client's word.

    Parameters
    ----------
    remote : str
        The address of the connection, empty where there is none (a socket file).
    forwarded_for : str
        The header, or nothing.
    trusted : collection of networks
        Where the site's own proxies are.
    """
    address = remote
    for told in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
        if not _is_within(address, trusted):
            return address
        try:
            address = str(ipaddress.ip_address(told))
        except ValueError:
            return address
    return address


def _is_within(address: str, networks: Collection[IpNetwork]) -> bool:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    return any(known in network for network in networks)
