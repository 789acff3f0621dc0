"""Answers of HTTP/1.1, cut anywhere, and those that are none."""

import unittest
from random import Random

from sbx.core.http import MOST_HEAD, AnswerParser, encode_chunk, encode_head
from sbx.errors import ProtocolError


def parse(pieces, method="GET"):
    parser = AnswerParser(method)
    return parser, b"".join(parser.feed(piece) for piece in pieces)


def cuts(data):
    """The whole, each way to cut it in two, and byte by byte."""
    yield [data]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
    yield [data[i:i + 1] for i in range(len(data))]


GOOD = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    (b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", b""),
    (b"HTTP/1.1 204 \r\n\r\n", b""),
    (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n\r\n", b"\r\n"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n00a;x=y\r\n0123456789\r\n2 ; z\r\n\r\n\r\n0\r\nX: y\r\n\r\n",
     b"0123456789\r\n"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
    (b"HTTP/1.1 200 OK\r\nX: \xe9\r\nContent-Length: 1\r\n\r\n\0", b"\0"),
]
BAD = [
    (b"HTTP/2 200\r\n\r\n", "no answer of HTTP/1.1"),
    (b"hello\r\n\r\n", "no answer of HTTP/1.1"),
    (b"SSH-2.0-OpenSSH\r\n", "no answer of HTTP/1.1"),
    (b"HTTP/1.1 20 OK\r\n\r\n", "no answer of HTTP/1.1"),
    (b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n", "no answer of HTTP/1.1"),
    (b"HTTP/1.1 200 OK\r\n\r\n", "does not say how long"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "is no number"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "is no number"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", "is no number"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "is not clear"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "is not clear"),
    (b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n", "not a header"),
    (b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n", "not a header"),
    (b"HTTP/1.1 200 OK\r\nX: a\nb\r\nContent-Length: 0\r\n\r\n", "not a header"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "has no size"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "has no size"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n", "has no size"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n", "longer than its size"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 2000, "longer than 1024"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 20_000, "longer than"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * MOST_HEAD, "longer than 65536"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", "more than its answer"),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "another protocol"),
]


class Answers(unittest.TestCase):
    def test_an_answer_is_the_same_however_it_is_cut(self):
        for answer, body in GOOD:
            for pieces in cuts(answer):
                with self.subTest(pieces=pieces):
                    parser, found = parse(pieces)
                    self.assertEqual(found, body)
                    self.assertTrue(parser.complete)

    def test_an_answer_is_not_complete_before_its_last_byte(self):
        for answer, _ in GOOD:
            for end in range(len(answer)):
                with self.subTest(answer=answer[:end]):
                    self.assertFalse(parse([answer[:end]])[0].complete)

    def test_what_is_no_answer_is_refused_however_it_is_cut(self):
        for answer, text in BAD:
            ways = cuts(answer) if len(answer) < 200 else [[answer], [answer[i:i + 999] for i in range(0, len(answer), 999)]]
            for pieces in ways:
                with self.subTest(pieces=pieces), self.assertRaisesRegex(ProtocolError, text):
                    parse(pieces)

    def test_the_answer_to_head_has_no_body(self):
        parser, body = parse([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], "HEAD")
        self.assertTrue(parser.complete)
        self.assertEqual(body, b"")

    def test_headers_are_found_by_name_and_joined(self):
        parser, _ = parse([b"HTTP/1.1 200 OK\r\nA: 1\r\na:2 \r\nContent-Type: Text/X; y\r\nContent-Length: 0\r\n\r\n"])
        self.assertEqual(parser.head.header("A"), "1, 2")
        self.assertEqual(parser.head.content_type, "text/x")
        self.assertIsNone(parser.head.header("B"))

    def test_a_connection_is_used_again_unless_the_server_closes_it(self):
        for head, kept in ((b"HTTP/1.1 200 OK\r\n", True), (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n", False),
                           (b"HTTP/1.0 200 OK\r\n", False)):
            parser, _ = parse([head + b"Content-Length: 1\r\n\r\n"])
            self.assertFalse(parser.keeps_alive)
            parser.feed(b"x")
            self.assertEqual(parser.keeps_alive, kept)


class Changed(unittest.TestCase):
    def test_a_changed_answer_is_an_answer_or_is_refused_and_never_anything_else(self):
        random = Random(6)
        refused = 0
        for _ in range(30_000):
            data = bytearray(random.choice(GOOD)[0])
            for _ in range(random.randrange(1, 4)):
                at = random.randrange(len(data))
                data[at:at + random.randrange(3)] = random.choice([b"", b"\r\n", b"0", b"\xff", b":", data[:at], bytes([random.randrange(256)])])
            at = random.randrange(len(data) + 1)
            try:
                whole = parse([bytes(data)])
                cut = parse([bytes(data[:at]), bytes(data[at:])])
                self.assertEqual((whole[1], whole[0].complete, whole[0].head), (cut[1], cut[0].complete, cut[0].head))
            except ProtocolError:
                refused += 1
        self.assertGreater(refused, 3000)
        self.assertLess(refused, 27_000)


class Requests(unittest.TestCase):
    def test_a_request_is_its_bytes(self):
        self.assertEqual(encode_head("GET", "/v1/runs?x=%20", [("Host", "sbx"), ("X", "")]),
                         b"GET /v1/runs?x=%20 HTTP/1.1\r\nHost: sbx\r\nX: \r\n\r\n")
        self.assertEqual(encode_chunk(b"x" * 17), b"11\r\n" + b"x" * 17 + b"\r\n")
        self.assertEqual(encode_chunk(b""), b"0\r\n\r\n")

    def test_nothing_can_be_hidden_in_one(self):
        for target in ("/a b", "/a\r\nX: y", "", "a", "/\x7f", "/ü"):
            with self.subTest(target=target), self.assertRaises(ValueError):
                encode_head("GET", target, [])
        for header in (("X", "a\r\nY: b"), ("X\n", "a"), ("X:", "a"), ("X", "ü"), ("", "a")):
            with self.subTest(header=header), self.assertRaises((ValueError, UnicodeError)):
                encode_head("GET", "/", [header])


if __name__ == "__main__":
    unittest.main()
