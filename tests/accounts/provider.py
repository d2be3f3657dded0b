"""An OpenID Connect provider on this machine, which checks PKCE and signs its tokens."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


class Provider:
    """An OpenID Connect provider; ``claims`` and ``key`` are what a test makes of its next token."""

    def __init__(self) -> None:
        self.key = self.published = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.claims: dict[str, object] = {}
        self.asked: dict[str, str] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def send_back(self, asked):
                """Sign the person in without a word."""
                provider.asked = asked
                back = urlencode({"code": "good", "state": asked["state"]})
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}?{back}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                address = urlsplit(self.path)
                if address.path == "/authorize":
                    return self.send_back(dict(parse_qsl(address.query)))
                if self.path == "/keys":
                    return self.answer(200, {"keys": [provider.published.as_dict(private=False)]})
                names = {"issuer": "", "authorization_endpoint": "/authorize"}
                names |= {"token_endpoint": "/token", "jwks_uri": "/keys"}
                document = {name: provider.issuer + path for name, path in names.items()}
                return self.answer(200, {**document, "id_token_signing_alg_values_supported": ["RS256"]})

            def do_POST(self):
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if form.get("code") != "good" or challenge != provider.asked["code_challenge"]:
                    return self.answer(400, {"error": "invalid_grant"})
                return self.answer(
                    200, {"access_token": "a", "token_type": "Bearer", "id_token": provider.token()}
                )

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop it."""
        self.server.shutdown()
        self.server.server_close()

    def token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "equipoise",
            "sub": "ada-1",
            "iat": now,
            "exp": now + 60,
            "auth_time": now,
        }
        claims |= {
            "nonce": self.asked["nonce"],
            "email": "ada@example.org",
            "email_verified": True,
            **self.claims,
        }
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
