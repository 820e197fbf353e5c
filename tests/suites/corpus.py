"""Messages that two parsers could read differently, as published about request smuggling.

Shapes only, written for this project, of: CL.TE, TE.CL, TE.TE, CL.CL, obsolete folding, bare CR and LF, chunk
extensions and sizes, absolute targets, HTTP/1.0 with codings, upgrades, header injection on the way from HTTP/2 down.
"""

from dataclasses import dataclass

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: g\r\n\r\n"
LAST = b"0\r\n\r\n"


@dataclass(frozen=True)
class Shape:
    """What a client sends, and how many requests an honest reading of it finds."""

    name: str
    sent: bytes
    requests: int = 1


def post(fields: bytes, body: bytes = b"", version: bytes = b"1.1", target: bytes = b"/x") -> bytes:
    """A request with a body."""
    return b"POST " + target + b" HTTP/" + version + b"\r\nHost: g\r\n" + fields + b"\r\n" + body


def chunked(fields: bytes, body: bytes) -> bytes:
    """A request whose body is in chunks."""
    return post(b"Transfer-Encoding: chunked\r\n" + fields, body)


def lengths() -> list[Shape]:
    """Both lengths, several lengths, lengths that are none."""
    both = b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n"
    shapes = [
        Shape("CL.TE", post(both % (len(LAST) + len(HIDDEN)), LAST + HIDDEN)),
        Shape("TE.CL", post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n" + LAST)),
        Shape("CL.0", post(b"Content-Length: 0\r\n", HIDDEN), 2),
        Shape("CL.CL", post(b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN)),
        Shape("CL.CL equal", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
        Shape("CL list", post(b"Content-Length: 5, 5\r\n", b"hello")),
        Shape("no length", post(b"", HIDDEN), 2),
        Shape("GET with a body", b"GET /x HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN),
    ]
    for text in [b"+5", b"-5", b"0x5", b"5.0", b"5e0", b"5 5", b"\xd9\xa5", b"", b"18446744073709551621", b"5;", b"\t+5", b"05_0"]:
        shapes.append(Shape(f"length {text!r}", post(b"Content-Length: " + text + b"\r\n", b"hello" + HIDDEN)))
    for name in [b"Content-Length ", b" Content-Length", b"Content_Length", b"Content-Length\t", b"Content-Length\x00", b"\x0bContent-Length"]:
        requests = 2 if name == b"Content_Length" else 1
        shapes.append(Shape(f"name {name!r}", post(name + b": %d\r\n" % len(HIDDEN), HIDDEN), requests))
    return shapes


def codings() -> list[Shape]:
    """Transfer codings that somebody may overlook."""
    body = LAST + HIDDEN
    shapes = [
        Shape("TE.TE twice", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", body)),
        Shape("TE.TE other first", post(b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", body)),
        Shape("TE in 1.0", post(b"Transfer-Encoding: chunked\r\n", body, b"1.0")),
        Shape("TE and CL in 1.0", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body, b"1.0")),
        Shape("TE hop by hop", post(b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", body), 2),
        Shape("CL hop by hop", post(b"Connection: Content-Length\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN)),
    ]
    for value in [b"xchunked", b"chunked, identity", b"identity, chunked", b"gzip, chunked", b"chunked;q=1", b'"chunked"', b"chunked\x00", b"\x0bchunked", b"chun\rked", b"chunked,", b"", b"cow"]:
        shapes.append(Shape(f"coding {value!r}", post(b"Transfer-Encoding: " + value + b"\r\n", body)))
    for name in [b"Transfer-Encoding ", b" Transfer-Encoding", b"Transfer_Encoding", b"Transfer-Encoding\x00", b"X: y\nTransfer-Encoding", b"X: y\rTransfer-Encoding"]:
        shapes.append(Shape(f"name {name!r}", post(name + b": chunked\r\n", body), 2 if b"_" in name else 1))
    return shapes


def lines() -> list[Shape]:
    """Ends of lines, folded lines, request lines."""
    field = b"Content-Length: %d\r\n\r\n" % len(HIDDEN)
    return [
        Shape("bare LF", b"GET /x HTTP/1.1\nHost: g\n\n" + HIDDEN),
        Shape("bare LF in the end", b"GET /x HTTP/1.1\r\nHost: g\r\n\n" + HIDDEN),
        Shape("bare CR as end", b"GET /x HTTP/1.1\rHost: g\r\r" + HIDDEN),
        Shape("CR in a value", b"GET /x HTTP/1.1\r\nHost: g\r\nX: a\rY: b\r\n\r\n"),
        Shape("CR CR LF", b"GET /x HTTP/1.1\r\nHost: g\r\r\n\r\n"),
        Shape("folded", b"POST /x HTTP/1.1\r\nHost: g\r\nX: a\r\n " + field + HIDDEN),
        Shape("folded coding", b"POST /x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding:\r\n chunked\r\n\r\n" + LAST + HIDDEN),
        Shape("folded first field", b"POST /x HTTP/1.1\r\n " + field + HIDDEN),
        Shape("NUL in a value", b"GET /x HTTP/1.1\r\nHost: g\r\nX: a\x00b\r\n\r\n"),
        Shape("no colon", b"GET /x HTTP/1.1\r\nHost: g\r\nnothing\r\n\r\n"),
        Shape("empty name", b"GET /x HTTP/1.1\r\nHost: g\r\n: nothing\r\n\r\n"),
        Shape("two spaces", b"GET  /x HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("tab in the line", b"GET\t/x HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("space in the target", b"GET /x /y HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("version 1.2", b"GET /x HTTP/1.2\r\nHost: g\r\n\r\n"),
        Shape("version 0.9", b"GET /x\r\n\r\n" + HIDDEN),
        Shape("empty lines before", b"\r\n" + HIDDEN.replace(b"/hidden", b"/x")),
        Shape("fragment", b"GET /x#/hidden HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("absolute, other host", b"GET http://other/x HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("absolute, same host", b"GET http://g/x HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("absolute with user", b"GET http://other@g/x HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("two hosts", b"GET /x HTTP/1.1\r\nHost: g\r\nHost: other\r\n\r\n"),
        Shape("host with a path", b"GET /x HTTP/1.1\r\nHost: g/hidden\r\n\r\n"),
        Shape("no host", b"GET /x HTTP/1.1\r\n\r\n"),
        Shape("dot segments", b"GET /x/../hidden HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("encoded dot segments", b"GET /x/%2e%2e/hidden HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("backslash", b"GET /x\\..\\hidden HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("asterisk", b"OPTIONS * HTTP/1.1\r\nHost: g\r\n\r\n"),
        Shape("CONNECT", b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n" + HIDDEN),
    ]


def chunks() -> list[Shape]:
    """Chunks of which somebody may lose count."""
    hidden = b"%x" % len(HIDDEN)
    bodies = {
        "extension": (b"5;x=y\r\nhello\r\n" + LAST, 1),
        "extension with a quote": (b'5;x="\r\n"\r\nhello\r\n' + LAST, 1),
        "extension with a bare LF": (b"5;x\nhello\r\n" + LAST + HIDDEN, 1),
        "extension with a bare CR": (b"5;x\rhello\r\n" + LAST + HIDDEN, 1),
        "size in 0x": (b"0x5\r\nhello\r\n" + LAST, 1),
        "size with a sign": (b"+5\r\nhello\r\n" + LAST, 1),
        "size with a blank before": (b" 5\r\nhello\r\n" + LAST, 1),
        "size with a blank behind": (b"5 \r\nhello\r\n" + LAST, 1),
        "size that overflows": (b"10000000000000005\r\nhello\r\n" + LAST, 1),
        "size in underscores": (b"0_5\r\nhello\r\n" + LAST, 1),
        "no size": (b"\r\nhello\r\n" + LAST, 1),
        "LF behind the size": (b"5\nhello\r\n" + LAST, 1),
        "LF behind the data": (b"5\r\nhello\n" + LAST, 1),
        "no end behind the data": (b"5\r\nhello" + LAST, 1),
        "more data than said": (b"3\r\nhello\r\n" + LAST, 1),
        "zeros before the size": (b"0005\r\nhello\r\n0000\r\n\r\n", 1),
        "a request as data": (hidden + b"\r\n" + HIDDEN + b"\r\n" + LAST, 1),
        "a request behind": (LAST + HIDDEN.replace(b"/hidden", b"/x"), 2),
        "trailer": (b"0\r\nX: y\r\n\r\n", 1),
        "trailer with a length": (b"0\r\nContent-Length: 5\r\n\r\n", 1),
        "trailer with a coding": (b"0\r\nTransfer-Encoding: chunked\r\n\r\n", 1),
        "trailer folded": (b"0\r\nX: y\r\n z\r\n\r\n", 1),
        "trailer with a bare LF": (b"0\r\nX: y\n\r\n", 1),
        "trailer without a colon": (b"0\r\nGET /hidden HTTP/1.1\r\n\r\n", 1),
    }
    return [Shape(f"chunks: {name}", chunked(b"", body), count) for name, (body, count) in bodies.items()]


def upgrades() -> list[Shape]:
    """Protocols that would let a second request through unseen."""
    h2c = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    websocket = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: eA==\r\n"
    return [
        Shape("h2c", b"GET /x HTTP/1.1\r\nHost: g\r\n" + h2c + b"\r\n" + HIDDEN, 2),
        Shape("h2c in pieces", b"GET /x HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: h2\r\nUpgrade: c\r\n\r\n"),
        Shape("WebSocket that is refused", b"GET /x HTTP/1.1\r\nHost: g\r\n" + websocket + b"\r\n" + HIDDEN, 2),
        Shape("WebSocket with a body", post(websocket + b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN)),
        Shape("TLS", b"GET /x HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n" + HIDDEN, 2),
        Shape("preface", b"PRI * HTTP/2.0\r\n\r\n" + HIDDEN),
        Shape("expectation", post(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"hello")),
        Shape("other expectation", post(b"Expect: 200-ok\r\nContent-Length: 5\r\n", b"hello")),
    ]


SHAPES = [*lengths(), *codings(), *lines(), *chunks(), *upgrades()]

# Heads of HTTP/2 that would be something else in HTTP/1, each besides the usual pseudo-fields or instead of one.
DOWNGRADES: dict[str, list[tuple[str, str]]] = {
    "CRLF in a value": [("x", "a\r\nTransfer-Encoding: chunked")],
    "CRLF in a value, whole request": [("x", "a\r\n\r\nGET /hidden HTTP/1.1\r\nHost: g")],
    "LF in a value": [("x", "a\nb: c")],
    "CR in a value": [("x", "a\rb: c")],
    "NUL in a value": [("x", "a\0b")],
    "CRLF in a name": [("x: y\r\nz", "w")],
    "colon in a name": [("transfer-encoding: chunked", "x")],
    "blank in a name": [("transfer-encoding ", "chunked")],
    "upper case": [("Transfer-Encoding", "chunked")],
    "coding": [("transfer-encoding", "chunked")],
    "connection": [("connection", "transfer-encoding")],
    "other te": [("te", "chunked")],
    "length too short": [("content-length", "1")],
    "length too long": [("content-length", "100")],
    "two lengths": [("content-length", "5"), ("content-length", "6")],
    "CRLF in the path": [(":path", "/x HTTP/1.1\r\nHost: g\r\n\r\nGET /hidden")],
    "blank in the path": [(":path", "/x HTTP/1.1")],
    "path without a slash": [(":path", "x")],
    "empty path": [(":path", "")],
    "CRLF in the method": [(":method", "GET /hidden HTTP/1.1\r\nX: y\r\n\r\nPOST")],
    "blank in the method": [(":method", "GET /hidden")],
    "other host": [("host", "other")],
    "host with a path": [(":authority", "g/hidden")],
    "CRLF in the host": [(":authority", "g\r\nX: y")],
    "scheme": [(":scheme", "http://other/hidden?")],
    "pseudo-field twice": [(":path", "/x"), (":path", "/hidden")],
    "pseudo-field behind": [("x", "y"), (":method", "GET")],
    "unknown pseudo-field": [(":hidden", "x")],
}
