"""A mail server that keeps what it is handed, and the certificate that it shows."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Letter:
    """A message, as it was handed over."""

    sender: str
    recipients: tuple[str, ...]
    encrypted: bool
    message: EmailMessage

    @property
    def text(self) -> str:
        """Return the part that is shown as text, or else the HTML."""
        body = self.message.get_body(("plain", "html"))
        return str(body.get_content()) if body else ""


class Box:
    """Takes letters; refuses all of them when it is told to."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.letters: list[Letter] = []
        self.refuses = refuses
        self.port = 0

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - the server's name for it
        if self.refuses:
            return "554 not from you"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        encrypted = server.transport is not None and server.transport.get_extra_info("sslcontext") is not None
        self.letters.append(Letter(envelope.mail_from, tuple(envelope.rcpt_tos), encrypted, message))
        return "250 OK"


@asynccontextmanager
async def mail_server(
    box: Box, *, tls: ssl.SSLContext | None = None, at_once: bool = False, login: tuple[str, str] | None = None
) -> AsyncIterator[Box]:
    """Serve a box on 127.0.0.1; with `tls` only over TLS, from STARTTLS on or at once; with `login` to who knows it."""

    def knows(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == login, handled=False)

    served: list[SMTP] = []
    later = None if at_once else tls

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a login without TLS: here it may be without, too
            one = SMTP(
                box, hostname="mail.test", tls_context=later, require_starttls=later is not None,
                auth_require_tls=False, authenticator=knows if login else None, auth_required=login is not None,
            )  # fmt: skip
        served.append(one)
        return one

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls if at_once else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        for one in served:
            if one.transport:
                one.transport.close()
        await server.wait_closed()


def certificate(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate of 127.0.0.1; return a server's context with it, and the file that makes clients trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    trusted, both = directory / "trusted.pem", directory / "server.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(secret + trusted.read_bytes())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    return context, trusted
