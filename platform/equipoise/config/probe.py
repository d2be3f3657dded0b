"""Ask this machine's own server how it is, under the site's name: ``python -m equipoise.config.probe /readyz``.

For health checks of containers, which reach a server by an address that it would otherwise refuse to be called by.
"""

import http.client
import sys
from urllib.parse import urlsplit

from equipoise.config.env import read_environment

PORT = 8000
_TIMEOUT_S = 4


def probe(path: str, port: int = PORT) -> int:
    """Return the status of the answer; 0 if there is none."""
    public = urlsplit(read_environment()["PUBLIC_URL"])
    headers = {"Host": public.netloc, "X-Forwarded-Proto": public.scheme}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def main() -> None:
    """Exit with 0 if the answer is 200."""
    path, port = (*sys.argv[1:3], str(PORT))[:2] if len(sys.argv) > 1 else ("/healthz", str(PORT))
    sys.exit(0 if probe(path, int(port)) == http.client.OK else 1)


if __name__ == "__main__":
    main()
