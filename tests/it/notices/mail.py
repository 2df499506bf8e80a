"""A mail server on a free port. It prints the port, and then each mail as a line of JSON.

Arguments: the certificate and the key for STARTTLS; with them, it takes a mail only after STARTTLS
and a login as `footfall` with the password `open sesame`.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Inbox:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(
            sender=mail["from"],
            recipients=envelope.rcpt_tos,
            subject=mail["subject"],
            text=mail.get_body(["plain"]).get_content(),
            html=mail.get_body(["html"]).get_content(),
            encrypted=session.ssl is not None,
            hello=session.host_name,
            message_id=mail["message-id"],
            automatic=mail["auto-submitted"],
            date=mail["date"],
            longest_line=max(len(line) for line in envelope.content.split(b"\r\n")),
            is_ascii=envelope.content.isascii(),
        )
        return "250 OK"


def log_in(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"footfall", b"open sesame")
    # Not `handled`: the server answers 535 itself.
    return AuthResult(success=good, handled=False)


def say(**what):
    print(json.dumps(what), flush=True)


async def serve(**options):
    def session():
        return SMTP(Inbox(), hostname="localhost", **options)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    say(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


options = {}
if len(sys.argv) > 1:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    options = dict(
        tls_context=context, require_starttls=True, auth_required=True, authenticator=log_in
    )
asyncio.run(serve(**options))
