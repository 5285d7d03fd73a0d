"""Send notifications by e-mail through the server of LIKEWISE_SMTP_URL."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from app.notifications.safe_http import TIMEOUT_SECONDS, Unreachable
from app.settings import settings


def is_mail_configured() -> bool:
    """Check whether a mail server is configured."""
    return bool(settings().smtp_url)


def send_mail(to: str, body: dict[str, Any]) -> None:
    """Send one message about an event. Raises Unreachable."""
    server = urlsplit(settings().smtp_url)
    try:
        with _connect(server.scheme, server.hostname or "localhost", server.port) as smtp:
            if server.username:
                smtp.login(unquote(server.username), unquote(server.password or ""))
            smtp.send_message(
                _build_message(to, body, server.query, server.hostname or "localhost")
            )
    except (smtplib.SMTPException, OSError) as error:
        raise Unreachable(f"The mail server refused the message: {str(error)[:200]}") from error


def _connect(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    """smtps: encrypted from the start; smtp+tls: after a plain greeting; smtp: plain."""
    secure = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_SECONDS, context=secure)
    smtp = smtplib.SMTP(host, port or 587, timeout=TIMEOUT_SECONDS)
    if scheme == "smtp+tls":
        smtp.starttls(context=secure)
    return smtp


def _build_message(to: str, body: dict[str, Any], query: str, host: str) -> EmailMessage:
    data = body["data"]
    message = EmailMessage()
    message["From"] = parse_qs(query).get("from", [f"likewise@{host}"])[0]
    message["To"] = to
    # A header is one line, even if the sentence is not.
    message["Subject"] = " ".join(f"{data['project']}: {data['sentence']}".split())[:200]
    message["Message-ID"] = make_msgid(domain="likewise")
    message.set_content(f"{data['sentence']}\n\n{data['url']}\n")
    return message
