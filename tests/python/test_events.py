"""Server-Sent Events, cut anywhere, and what is in them."""

import json
import unittest
from random import Random

from sbx.core.sse import EventParser, Message
from sbx.errors import ProtocolError
from sbx.events import Exit, Gap, Other, Output, Stage, event_of


def parse(pieces):
    parser = EventParser()
    return [message for piece in pieces for message in parser.feed(piece)]


STREAM = "\ufeffid: 3.0\nevent: stdout\ndata: {\"ä\": 1}\n\n: still there\n\nid:4.0\ndata:a\ndata:  b\n\nevent: x\nid: 5.1\ndata\n\n" \
         "event: lost\n\nretry: 5\nid: 0\0\nunknown\ndata: no id of its own\n\ndata: never ended\n".encode()
MESSAGES = [Message("stdout", '{"ä": 1}', "3.0"), Message("message", "a\n b", "4.0"), Message("x", "", "5.1"),
            Message("message", "no id of its own", "5.1")]


class Streams(unittest.TestCase):
    def test_events_are_the_same_however_they_are_cut(self):
        for ends in (b"\n", b"\r\n", b"\r"):
            stream = STREAM.replace(b"\n", ends)
            self.assertEqual(parse([stream]), MESSAGES)
            self.assertEqual(parse([stream[i:i + 1] for i in range(len(stream))]), MESSAGES)
            for at in range(len(stream)):
                self.assertEqual(parse([stream[:at], stream[at:]]), MESSAGES, stream[:at])

    def test_what_is_no_text_and_what_has_no_end_is_refused(self):
        with self.assertRaisesRegex(ProtocolError, "no UTF-8"):
            parse([b"data: \xff\n\n"])
        with self.assertRaisesRegex(ProtocolError, "longer than"):
            parse([b"data: "] + [b"x" * (1 << 20)] * 17)
        with self.assertRaisesRegex(ProtocolError, "longer than"):
            parse([b"data: " + b"x" * (1 << 20) + b"\n"] * 17)


class Changed(unittest.TestCase):
    def test_changed_events_are_events_or_are_refused(self):
        random = Random(6)
        text = b'id: 1.0\ndata: {"type":"stdout","data":"//4A","encoding":"base64","offset":0}\n\n' \
            b'data: {"type":"exit","data":"error","exit_code":3}\n\n'
        found = refused = 0
        for _ in range(20_000):
            data = bytearray(text)
            for _ in range(random.randrange(1, 4)):
                at = random.randrange(len(data))
                data[at:at + random.randrange(3)] = random.choice([b"", b"\n", b"0", b"\xff", b'"', b"[", b"null", bytes([random.randrange(256)])])
            try:
                found += len([event_of(message) for message in parse([bytes(data)])])
            except ProtocolError:
                refused += 1
        self.assertGreater(found, 1000)
        self.assertGreater(refused, 1000)


def event(**members):
    return event_of(Message("", json.dumps(members), "1.2"))


class Events(unittest.TestCase):
    def test_each_kind_is_a_value(self):
        self.assertEqual(event(type="stdout", data="ä", offset=3, seq=1), Output("stdout", "ä".encode(), 3, "1.2"))
        self.assertEqual(event(type="stderr", data="//4A", encoding="base64", offset=0), Output("stderr", b"\xff\xfe\0", 0, "1.2"))
        self.assertEqual(event(type="stage", data="compile"), Stage("stage", "compile", "1.2"))
        self.assertEqual(event(type="gap", data="stdout", offset=5, missing=7), Gap("gap", "stdout", 5, 7, "1.2"))
        self.assertEqual(event(type="exit", data="error", outcome="exited", exit_code=3, signal=None, message="so"),
                         Exit("exit", "error", "exited", 3, None, "so", "1.2"))
        other = event(type="weather", data="run", more=1)
        self.assertIsInstance(other, Other)
        self.assertEqual((other.type, other.data, other.raw["more"]), ("weather", "run", 1))

    def test_what_is_none_is_refused(self):
        for members in ({}, {"type": 1}, {"type": "stdout"}, {"type": "stdout", "data": 1, "offset": 0},
                        {"type": "stdout", "data": "x", "offset": True}, {"type": "stdout", "data": "x", "offset": "0"},
                        {"type": "stdout", "data": "*", "encoding": "base64", "offset": 0},
                        {"type": "stdout", "data": "x", "encoding": "rot13", "offset": 0}, {"type": "exit"}):
            with self.subTest(members=members), self.assertRaises(ProtocolError):
                event(**members)
        for text in ("", "[]", "1", "{", "[" * 100_000):
            with self.subTest(text=text[:9]), self.assertRaises(ProtocolError):
                event_of(Message("", text, ""))


if __name__ == "__main__":
    unittest.main()
