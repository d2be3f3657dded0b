"""The one door for addresses that people type: requests reach public hosts, or those the site names, and no others.

A host name is resolved once, every address it has is checked, and the connection goes to a checked address, so that
a name cannot point elsewhere between the check and the connection. Redirects are not followed, and no proxy or
credentials of the machine's user are taken. Archives that the site itself names (``EQUIPOISE_PACS``) have their own,
narrower rule in ``equipoise.archive.dicomweb.pacs``: one address each.
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeAlias

import httpcore
import httpx

from equipoise.common.errors import DomainError, ErrorCode

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver: TypeAlias = Callable[[str, int], list[str]]
"""(host, port) -> every IP address of the host."""

CONNECT_S, READ_S = 5.0, 10.0
TOTAL_S = 10.0
"""From the question for the host's addresses to the last header read: neither a name server that keeps silent nor a
receiver that answers byte by byte must hold a worker."""
MAX_URL_CHARACTERS = 2000


class OutboundRefusedError(DomainError):
    """The address is none that the site sends to. The words name the host, never what it resolves to."""

    code = ErrorCode.VALIDATION_FAILED


def system_addresses(host: str, port: int) -> list[str]:
    """Return every IP address of a host, by the system's resolver."""
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutboundRefusedError(f"The host {host!r} is not known.") from None
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


def _addresses_within(seconds: float, resolve: Resolver, host: str, port: int) -> list[str]:
    """Return a host's addresses, or refuse it if they are not known in time.

    The system's resolver knows no limit: it is asked in a thread, which is left to itself when it is late.
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(host, port))
        except Exception as error:  # raised again where somebody waits for it
            answers.put(error)

    threading.Thread(target=ask, name="outbound-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise OutboundRefusedError(f"The name server did not tell where {host!r} is, in time.") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def is_public(address: IpAddress) -> bool:
    """Say whether an address is of the public internet, seen through every way of writing an IPv4 address as IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return is_public(inner)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(one)
    for one in ("192.0.0.0/24", "192.88.99.0/24", "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "fec0::/10")
)
"""What Python 3.11 still calls global: set apart for protocols, or ways of writing another address."""


def outbound_address(
    url: str,
    *,
    allowed_hosts: Collection[str] = (),
    resolve: Resolver = system_addresses,
    within_s: float = TOTAL_S,
) -> str:
    """Return a checked IP address of a URL's host, or refuse the URL.

    Parameters
    ----------
    url : str
        ``https://host[:port]/path``; ``http`` only for hosts that the site names.
    allowed_hosts : collection of str
        Hosts (without port) that the site names: they may be private, as a hospital's own receiver is.
    within_s : float
        How long the host's name server may take.

    Raises
    ------
    OutboundRefusedError
        If the URL holds credentials or is not https, or if one of the host's addresses is private, loopback,
        link-local (clouds keep their secrets there), multicast or reserved, or if they are not known in time.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise OutboundRefusedError(f"An address may have {MAX_URL_CHARACTERS} characters.")
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise OutboundRefusedError("This is not an address.") from None
    host = parts.host
    is_named = host.lower() in {one.lower() for one in allowed_hosts}
    if not host or parts.scheme not in ({"https", "http"} if is_named else {"https"}):
        raise OutboundRefusedError("The address must begin with https:// and name a host.")
    if parts.userinfo:
        raise OutboundRefusedError("The address must not hold a user name or password.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if port >= 1 << 16:
        raise OutboundRefusedError("The address must name a port below 65536, or none.")
    found = _addresses_within(within_s, resolve, host, port)
    if not found:
        raise OutboundRefusedError(f"The host {host!r} is not known.")
    if not is_named and not all(is_public(ipaddress.ip_address(one.partition("%")[0])) for one in found):
        raise OutboundRefusedError(
            f"The host {host!r} is inside a network that is not public. "
            "The site may name it in EQUIPOISE_OUTBOUND_HOSTS."
        )
    return found[0]


class _Deadline:
    """When a request must be over; None while there is no request."""

    def __init__(self) -> None:
        self._at: float | None = None

    def start(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
        """Return how long one step may take, or raise ``late``."""
        if self._at is None:
            return timeout
        left = self._at - time.monotonic()
        if left <= 0:
            raise late("The request took too long.")
        return left if timeout is None else min(timeout, left)


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every step ends by the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TimedBackend(httpcore.NetworkBackend):
    """Opens connections that end by the deadline."""

    def __init__(self, deadline: _Deadline) -> None:
        self._backend, self._deadline = httpcore.SyncBackend(), deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, left, local_address, socket_options)
        return _TimedStream(stream, self._deadline)


class _CheckedTransport(httpx.HTTPTransport):
    """Checks each request's host, connects to the address that was checked, and ends by a deadline."""

    def __init__(self, allowed_hosts: Collection[str], resolve: Resolver, total_s: float) -> None:
        super().__init__(trust_env=False)
        self._allowed_hosts, self._resolve, self._total_s = frozenset(allowed_hosts), resolve, total_s
        self._deadline = _Deadline()
        # httpx has no door for a network backend; this is the pool that its transport would have made.
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            network_backend=_TimedBackend(self._deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to a checked address under the host's own name (``Host`` and TLS)."""
        self._deadline.start(self._total_s)
        address = outbound_address(
            str(request.url),
            allowed_hosts=self._allowed_hosts,
            resolve=self._resolve,
            within_s=self._total_s,
        )
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=address)
        return super().handle_request(request)


def outbound_client(
    *,
    allowed_hosts: Collection[str] = (),
    resolve: Resolver = system_addresses,
    total_s: float = TOTAL_S,
) -> httpx.Client:
    """Return a client that reaches checked hosts only, and follows no redirect; a context manager.

    A request is over after ``total_s``, the host's name server included, however busily the other side keeps sending;
    one at a time.
    """
    return httpx.Client(
        transport=_CheckedTransport(allowed_hosts, resolve, total_s),
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
    )
