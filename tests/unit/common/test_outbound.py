"""Addresses that people type reach no network of the site's own, however they are written."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from equipoise.common.outbound import OutboundRefusedError, outbound_address, outbound_client

PUBLIC = "93.184.215.14"


def resolving(*addresses):
    return lambda host, port: list(addresses)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.5", "172.16.3.4", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.5",
        "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::1", "fec0::1",
        "192.0.0.8", "192.88.99.1",
    ],
)  # fmt: skip
def test_host_with_one_address_inside_is_refused(address):
    with pytest.raises(OutboundRefusedError, match="not public"):
        outbound_address("https://receiver.example/hook", resolve=resolving(PUBLIC, address))


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/", "ftp://receiver.example/", "file:///etc/passwd", "https://", "//receiver.example",
        "https://user:secret@receiver.example/", "https://receiver.example:99999/", "gopher://receiver.example/", "",
        "https://receiver.example/" + 2000 * "a",
    ],
)  # fmt: skip
def test_address_of_another_form_is_refused(url):
    with pytest.raises(OutboundRefusedError):
        outbound_address(url, resolve=resolving(PUBLIC))


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "[::1]"])
def test_loopback_is_refused_however_it_is_written(host):
    with pytest.raises(OutboundRefusedError):
        outbound_address(f"https://{host}/")


def test_public_host_gives_the_address_that_was_checked():
    assert outbound_address("https://receiver.example/hook", resolve=resolving(PUBLIC)) == PUBLIC
    assert outbound_address("https://receiver.example/", resolve=resolving("64:ff9b::5db8:d70e")) != PUBLIC


def test_client_connects_where_it_checked_and_follows_no_redirect():
    """The name exists nowhere but in the check: reaching the server shows that the checked address was used."""
    seen = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append((self.path, self.headers["Host"]))
            self.send_response(307)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://receiver.invalid:{server.server_port}/hook"
        try:
            with outbound_client(
                allowed_hosts=["Receiver.invalid"], resolve=resolving("127.0.0.1")
            ) as client:
                assert client.post(url, content=b"{}").status_code == 307
            with (
                outbound_client(resolve=resolving("127.0.0.1")) as client,
                pytest.raises(OutboundRefusedError),
            ):
                client.post(url.replace("http:", "https:"))
        finally:
            server.shutdown()
    assert seen == [("/hook", f"receiver.invalid:{server.server_port}")]


@pytest.mark.parametrize("slow", ["headers", "status line", "nothing"])
def test_request_is_over_by_its_deadline_however_busily_the_other_side_sends(slow):
    over = threading.Event()
    drips = {
        "headers": b"HTTP/1.1 200 OK\r\n" + b"X-More: 1\r\n" * 500,
        "status line": b"HTTP/1.1 200 " + b"O" * 500,
    }

    def drip(listener):
        peer, _ = listener.accept()
        with peer:
            for number in range(len(drips.get(slow, b""))):
                if over.wait(0.02):
                    return
                try:
                    peer.sendall(drips[slow][number : number + 1])
                except OSError:
                    return
            over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        url = f"http://receiver.invalid:{listener.getsockname()[1]}/hook"
        started = time.monotonic()
        with (
            outbound_client(
                allowed_hosts=["receiver.invalid"], resolve=resolving("127.0.0.1"), total_s=0.4
            ) as client,
            pytest.raises(httpx.ReadTimeout),
            client.stream("POST", url, content=b"{}"),
        ):
            pass
        took = time.monotonic() - started
        over.set()
        thread.join()
    assert 0.4 <= took < 2


def slow_resolver(seconds, over):
    """Resolve to this machine, after a while."""

    def resolve(host, port):
        over.wait(seconds)
        return ["127.0.0.1"]

    return resolve


def test_name_server_that_keeps_silent_is_part_of_the_deadline():
    over = threading.Event()
    started = time.monotonic()
    try:
        with (
            outbound_client(resolve=slow_resolver(30, over), total_s=0.4) as client,
            pytest.raises(OutboundRefusedError, match=r"did not tell where 'receiver\.example' is"),
        ):
            client.post("https://receiver.example/hook", content=b"{}")
        assert 0.4 <= time.monotonic() - started < 10
    finally:
        over.set()


def test_time_that_the_name_server_took_is_not_left_to_the_receiver():
    """It answers before the deadline, which the receiver, who says nothing, is held to all the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://receiver.invalid:{listener.getsockname()[1]}/hook"
        started = time.monotonic()
        with (
            outbound_client(
                allowed_hosts=["receiver.invalid"], resolve=slow_resolver(2.5, threading.Event()), total_s=3
            ) as client,
            pytest.raises(httpx.TimeoutException),
        ):
            client.post(url, content=b"{}")
        took = time.monotonic() - started
    assert 3 <= took < 5.4, "the deadline runs from the question to the name server"
