"""The page over TLS."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from contextlib import closing
from pathlib import Path

from gatewayd.web.token import new_token
from tests.cli.program import Program, gatewayd
from tests.tls.pki import make
from tests.until import PATIENCE


def test_it_is_served_to_those_who_sign_in(tmp_path: Path) -> None:
    pair = make("pi", "-addext", "subjectAltName=DNS:pi,IP:127.0.0.1", directory=tmp_path)
    token = tmp_path / "token"
    secret = new_token(token)
    files = ("--certificate", str(pair.certificate), "--key", str(pair.key))
    options = ("--control", str(tmp_path / "control"), "--token", str(token), "--name", "pi")
    with Program("web", "--listen", "127.0.0.1:0", *files, *options) as page:
        port = int(page.wait_for(r"the page is at https://127\.0\.0\.1:(\d+)/")[1])
        trust = ssl.create_default_context(cafile=str(pair.certificate))
        browser = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=trust)
        with closing(browser):
            # Known by its name, it is not for everybody on the machine: a proxy may be behind.
            browser.request("GET", "/rights", headers={"Host": f"pi:{port}"})
            assert json.loads(browser.getresponse().read())["look"] is False
            origin = {"Host": f"pi:{port}", "Origin": f"https://pi:{port}"}
            browser.request("POST", "/sign-in", json.dumps({"token": secret}), origin)
            answer = browser.getresponse()
            answer.read()
            cookie = str(answer.headers["Set-Cookie"])
            assert "Secure" in cookie.split("; ")
            headers = {"Host": f"pi:{port}", "Cookie": cookie.partition(";")[0]}
            browser.request("GET", "/rights", headers=headers)
            assert json.loads(browser.getresponse().read())["signed_in"] is True
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as clear:
            clear.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"HTTP" not in clear.recv(100)


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    pair = make("alone", directory=tmp_path)
    done = gatewayd("web", "--certificate", str(pair.certificate))
    assert (done.returncode, done.stderr) == (1, "--certificate and --key belong together\n")
    other = make("other", directory=tmp_path)
    files = ("--certificate", str(pair.certificate), "--key", str(other.key))
    done = gatewayd("web", *files)
    assert done.returncode == 1
    assert "is not the key of the certificate" in done.stderr
