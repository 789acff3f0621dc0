"""Requests and answers over connections that break, refuse, and are used again."""

import io
import re
import unittest

from scripted import Play, Scripted, answer, problem

from sbx import errors
from sbx.core import exchange, files, runs, sandboxes
from sbx.core.bodies import command_body
from sbx.core.follow import Follow
from sbx.core.session import Request, find_endpoint, post
from sbx.core.steps import Give
from sbx.values import RunResult, SandboxInfo

GET = Request("GET", "/v1/version")
POST = post("/v1/runs", {"shell": "ü"})


def key_of(connection):
    return re.search(rb"Idempotency-Key: (\S+)\r\n", connection.sent)[1]


class Asking(unittest.TestCase):
    def test_a_request_carries_what_it_should(self):
        play = Play(Scripted(answer()), token="secret")
        self.assertEqual(play.run(exchange.ask_json(play.session, POST)), {})
        head, _, body = play.opened[0].sent.partition(b"\r\n\r\n")
        self.assertEqual(body, '{"shell":"ü"}'.encode())
        self.assertTrue(head.startswith(b"POST /v1/runs HTTP/1.1\r\nHost: sbx\r\n"))
        for line in (b"Content-Length: 14", b"Content-Type: application/json", b"Authorization: Bearer secret"):
            self.assertIn(line, head.split(b"\r\n"))

    def test_a_connection_is_used_again_while_it_is_good(self):
        play = Play(Scripted(answer(), answer(), answer(connection="close")), Scripted(answer()), Scripted(answer()), Scripted(answer()))
        once = post("/v1/runs?wait", {}, again=False)
        for _ in range(4):
            play.run(exchange.ask_json(play.session, once))
        self.assertEqual(len(play.opened), 2)
        self.assertTrue(play.opened[0].closed)
        play.opened[1].is_alive = False
        play.run(exchange.ask_json(play.session, once))
        self.assertTrue(play.opened[1].closed)
        play.now += 60
        play.run(exchange.ask_json(play.session, once))
        self.assertEqual(len(play.opened), 4)
        play.session.close()
        self.assertTrue(all(connection.closed for connection in play.opened))

    def test_each_refusal_is_an_error_of_its_own(self):
        for status, kind in ((400, errors.BadRequest), (401, errors.Unauthorized), (403, errors.Forbidden),
                             (404, errors.NotFound), (409, errors.Conflict), (410, errors.Gone), (422, errors.Unprocessable), (413, errors.Problem),
                             (500, errors.Problem), (302, errors.Problem)):
            play = Play(Scripted(problem(status, "the reason")))
            with self.assertRaises(kind) as raised:
                play.run(exchange.ask_json(play.session, GET))
            self.assertIs(type(raised.exception), kind)
            self.assertEqual((raised.exception.status, raised.exception.title, raised.exception.detail), (status, "T", "the reason"))
        play = Play(Scripted(answer(502, b"<h1>bad gateway</h1>", "text/html")))
        with self.assertRaisesRegex(errors.Problem, "502 X: <h1>bad gateway"):
            play.run(exchange.ask_json(play.session, GET))

    def test_what_is_refused_for_now_is_asked_again_with_the_same_key(self):
        play = Play(Scripted(problem(429, retry_after=3), problem(503), problem(503), answer(body=b'{"a":1}')))
        self.assertEqual(play.run(exchange.ask_json(play.session, POST)), {"a": 1})
        self.assertEqual(play.slept, [3.0, 0.2, 0.4])
        keys = re.findall(rb"Idempotency-Key: (\S+)\r\n", play.opened[0].sent)
        self.assertEqual((len(keys), len(set(keys))), (4, 1))
        waits = Play(Scripted(problem(503), answer(body=b'{"run_id":"x","status":"error"}')))
        waits.run(runs.execute(runs.Server(waits.session), "true"))
        self.assertNotIn(b"Idempotency-Key", waits.opened[0].sent)  # with one it would go on without its client
        other = Play(Scripted(answer()))
        other.run(exchange.ask_json(other.session, POST))
        self.assertNotEqual(key_of(other.opened[0]), keys[0])

    def test_but_not_for_ever_and_not_what_cannot_be_sent_again(self):
        play = Play(Scripted(*[problem(503, "busy")] * 1000), retry_for=10)
        with self.assertRaisesRegex(errors.Unavailable, "busy"):
            play.run(exchange.ask_json(play.session, GET))
        self.assertLessEqual(sum(play.slept), 10)
        self.assertGreater(sum(play.slept), 7)
        play = Play(Scripted(problem(429, retry_after=1000)))
        with self.assertRaises(errors.TooManyRequests) as raised:
            play.run(exchange.ask_json(play.session, GET))
        self.assertEqual((play.slept, raised.exception.retry_after), ([], 1000.0))
        play = Play(Scripted(problem(429, retry_after=1)))
        with self.assertRaises(errors.TooManyRequests):
            play.run(exchange.ask(play.session, Request("PUT", "/x", body=iter([b"x"]))))
        for text in ("soon", "-1", "١"):
            play = Play(Scripted(problem(429)), retry_for=0)
            with self.assertRaises(errors.TooManyRequests) as raised:
                play.run(exchange.ask_json(play.session, GET))
            self.assertIsNone(raised.exception.retry_after, text)

    def test_a_broken_connection_is_tried_again_where_that_does_no_harm(self):
        for broken in (Scripted(), Scripted(b"HTTP/1.1 200"), Scripted(ConnectionResetError()), Scripted(refuses=BrokenPipeError())):
            play = Play(broken, Scripted(answer()))
            self.assertEqual(play.run(exchange.ask_json(play.session, GET)), {})
            self.assertTrue(broken.closed)
        for broken in (Scripted(), Scripted(refuses=BrokenPipeError())):
            play = Play(broken, Scripted(answer()))
            with self.assertRaises(errors.ConnectionFailed):
                play.run(exchange.ask_json(play.session, post("/v1/runs?wait", {}, again=False)))
            self.assertEqual(len(play.opened), 1)

    def test_nobody_listens(self):
        play = Play(FileNotFoundError(2, "No such file or directory"))
        with self.assertRaisesRegex(errors.ConnectionFailed, "no sbxd answers at '/sock': No such file or directory"):
            play.run(exchange.ask_json(play.session, GET))
        self.assertEqual(play.slept, [])

    def test_silence_is_told_and_not_tried_again(self):
        for connection in (Scripted(TimeoutError()), Scripted(b"HTTP/1.1 200 OK\r\nContent-Le", TimeoutError()),
                           Scripted(answer(body=b"xxxx")[:-1], TimeoutError()), Scripted(refuses=TimeoutError())):
            play = Play(connection, Scripted(answer()))
            with self.assertRaises(errors.TimedOut):
                play.run(exchange.ask_json(play.session, GET))
            self.assertTrue(connection.closed)
            self.assertEqual(len(play.opened), 1)

    def test_a_refusal_in_the_middle_of_a_body_is_heard(self):
        play = Play(Scripted(problem(413, "too long", connection="close"), refuses=BrokenPipeError()))
        with self.assertRaisesRegex(errors.Problem, "too long"):
            play.run(exchange.ask(play.session, Request("PUT", "/x", body=b"x" * 100)))

    def test_answers_that_may_not_be(self):
        for bad in (answer(body=b"[]"), answer(body=b"{"), answer(body=b"\xff"), answer(body=b"{}", kind="text/html"),
                    b"hello\r\n\r\n", answer() + b"HTTP/1.1 200 OK\r\n"):
            connection = Scripted(bad)
            play = Play(connection)
            with self.subTest(bad=bad), self.assertRaises(errors.ProtocolError):
                play.run(exchange.ask_json(play.session, GET))
        for bad in (b"{}", b'{"run_id":1,"status":"error"}', b'{"run_id":"x"}', b'{"run_id":"x","status":"error","exit_code":"1"}',
                    b'{"run_id":"x","status":"error","stdout":{"base64":"*"}}', b'{"run_id":"x","status":"error","limits_hit":[1]}'):
            play = Play(Scripted(answer(body=bad)))
            with self.subTest(bad=bad), self.assertRaises(errors.ProtocolError):
                play.run(runs.get_run(runs.Server(play.session), "x"))


class Places(unittest.TestCase):
    def test_where_the_server_is(self):
        self.assertEqual(find_endpoint("/a", None, None, None).socket, "/a")
        there = find_endpoint(None, "https://[::1]:8443/sbx/", "t", None)
        self.assertEqual((there.host_header, there.prefix, there.tls is None), ("[::1]:8443", "/sbx", False))
        self.assertIsNone(find_endpoint(None, "http://127.0.0.1:80", "t", None).tls)

    def test_a_token_does_not_leave_this_machine_in_the_clear(self):
        with self.assertRaisesRegex(ValueError, "https"):
            find_endpoint(None, "http://example.com", "t", None)

    def test_what_is_no_place(self):
        for url in ("ftp://x", "x", "https://", "https://u:p@x", "https://x/?a=b"):
            with self.subTest(url=url), self.assertRaises(ValueError):
                find_endpoint(None, url, None, None)
        with self.assertRaises(ValueError):
            find_endpoint("/a", "https://x", None, None)


def place(play):
    return sandboxes.Place(play.session, SandboxInfo.of({"id": "a/b", "state": "ready"}))


class Files(unittest.TestCase):
    def sent(self, content):
        told = (b'{"path":"x y","type":"file","size":5,"mode":"0644","uid":1000,"gid":1000,'
                b'"modified_at":"2026-01-01T00:00:00Z","sha256":"ab"}')
        play = Play(Scripted(answer(201, told)))
        self.assertEqual(play.run(files.write_file(place(play), "x y", content)).sha256, "ab")
        return play.opened[0].sent

    def test_content_is_sent_as_it_comes(self):
        for content in ("hello", b"hello", io.BytesIO(b"hello")):
            sent = self.sent(content)
            self.assertTrue(sent.startswith(b"PUT /v1/sandboxes/a%2Fb/files?path=x+y HTTP/1.1\r\n"), sent)
            self.assertIn(b"Content-Length: 5\r\n", sent)
            self.assertTrue(sent.endswith(b"\r\n\r\nhello"))
        sent = self.sent([b"hel", b"", b"lo"])
        self.assertIn(b"Transfer-Encoding: chunked\r\n", sent)
        self.assertTrue(sent.endswith(b"\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"))
        half = io.BytesIO(b"0123456789")
        half.seek(5)
        self.assertTrue(self.sent(half).endswith(b"\r\n\r\n56789"))

    def test_text_in_the_place_of_bytes_is_refused(self):
        for content in (io.StringIO("x"), ["x"]):
            with self.assertRaisesRegex(TypeError, "binary mode"):
                self.sent(content)

    def test_a_file_that_changes_meanwhile_is_no_whole_one(self):
        class Shrinks(io.BytesIO):
            def seek(self, *where):
                return super().seek(*where) + 1
        play = Play(Scripted(answer(204, b"")))
        with self.assertRaisesRegex(ValueError, "seemed to have"):
            play.run(files.write_file(place(play), "x", Shrinks(b"hello")))
        self.assertTrue(play.opened[0].closed)


def sse(*events):
    lines = ": there\n\n" + "".join(f"id: {number}.0\ndata: {text}\n\n" for number, text in events)
    return ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            f"{len(lines):x}\r\n{lines}\r\n").encode()


def out(at, text):
    return (at + len(text), f'{{"type":"stdout","data":"{text}","offset":{at}}}')


EXIT = (9, '{"type":"exit","data":"completed","outcome":"exited","exit_code":0}')
END = b"0\r\n\r\n"


class Following(unittest.TestCase):
    def follow(self, play, **options):
        follow = Follow(play.session, None, "run", **options)
        return follow, play.run(follow.events().plan)

    def test_events_go_on_where_a_connection_broke(self):
        play = Play(Scripted(sse(out(0, "ab")), ConnectionResetError()), Scripted(), Scripted(sse(out(2, "cd")), END),
                    Scripted(sse(EXIT), END))
        follow, events = self.follow(play)
        self.assertEqual(b"".join(event.content for event in events[:-1]), b"abcd")
        self.assertEqual(events[-1].exit_code, 0)
        self.assertNotIn(b"Last-Event-ID", play.opened[0].sent)
        self.assertEqual(re.findall(rb"\r\nAccept: (.*)\r\n", play.opened[0].sent), [b"text/event-stream"])
        self.assertIn(b"\r\nLast-Event-ID: 2.0\r\n", play.opened[1].sent)
        self.assertIn(b"\r\nLast-Event-ID: 2.0\r\n", play.opened[2].sent)
        self.assertIn(b"\r\nLast-Event-ID: 4.0\r\n", play.opened[3].sent)
        self.assertTrue(all(connection.closed for connection in play.opened))

    def test_from_the_middle(self):
        play = Play(Scripted(sse(EXIT), END))
        self.follow(play, after="5.5")
        self.assertIn(b"\r\nLast-Event-ID: 5.5\r\n", play.opened[0].sent)

    def test_but_not_for_ever(self):
        play = Play(*[Scripted(sse(), END) for _ in range(1000)], retry_for=5)
        with self.assertRaisesRegex(errors.ConnectionFailed, "before the run ended"):
            self.follow(play)
        self.assertLess(play.now, 1010)

    def test_a_run_that_is_gone_is_told(self):
        play = Play(Scripted(sse(out(0, "a")), ConnectionResetError()), Scripted(problem(404, "there is no run")))
        with self.assertRaises(errors.NotFound):
            self.follow(play)

    def test_who_leaves_cancels_what_was_begun(self):
        for left in ("by itself", "by an error"):
            play = Play(Scripted(answer(202, b'{"run_id":"new","status":"queued"}'), sse(out(0, "a"))),
                        Scripted(answer(202, b'{"run_id":"new","status":"running"}'), problem(409, "the run has ended")))
            follow = Follow(play.session, runs.start_body(runs.Server(play.session), command_body("x")))
            if left == "by itself":
                play.leave_after(follow.events().plan, 1)
            else:
                with self.assertRaises(KeyboardInterrupt):
                    play.run(interrupt_after_first(follow.events().plan))
            self.assertEqual(play.opened[-1].sent.count(b"DELETE /v1/runs/new HTTP/1.1\r\n"), 2)
            self.assertTrue(play.opened[0].closed)

    def test_what_is_no_event_stream(self):
        play = Play(Scripted(answer()))
        with self.assertRaisesRegex(errors.ProtocolError, "application/json"):
            self.follow(play)


def interrupt_after_first(plan):
    """The same plan, with an interrupt in the place of the first thing that it gives."""
    step = next(plan)
    while True:
        if isinstance(step, Give):
            step = plan.throw(KeyboardInterrupt())
        else:
            step = plan.send((yield step))


class Results(unittest.TestCase):
    def test_check(self):
        good = RunResult.of({"run_id": "x", "status": "completed", "outcome": "exited", "exit_code": 0})
        self.assertIs(good.check(), good)
        bad = RunResult.of({"run_id": "x", "status": "error", "outcome": "out_of_memory", "message": "too much",
                            "stderr": {"text": "killed\n", "bytes": 7, "truncated": False}})
        with self.assertRaisesRegex(errors.RunFailed, "out_of_memory: too much\nkilled"):
            bad.check()

    def test_output_that_is_elsewhere_is_asked_for(self):
        body = b'{"run_id":"x","status":"completed","outcome":"exited","exit_code":0,"stdout":{"bytes":5,"elsewhere":"/y"}}'
        play = Play(Scripted(answer(body=body), answer(body=b"a\xffbcd", kind="application/octet-stream")))
        result = play.run(runs.get_run(runs.Server(play.session), "x"))
        self.assertEqual(result.out.content, b"a\xffbcd")
        self.assertIn(b"GET /v1/runs/x/output?stream=stdout HTTP/1.1\r\n", play.opened[0].sent)

    def test_pages_are_asked_for_as_they_are_needed(self):
        play = Play(Scripted(answer(body=b'{"runs":[{"run_id":"a","status":"error"}],"next_cursor":"a b"}'),
                             answer(body=b'{"runs":[{"run_id":"b","status":"error"}],"next_cursor":null}')))
        found = play.run(runs.runs(runs.Server(play.session), task_id="t", page=1).plan)
        self.assertEqual([run.run_id for run in found], ["a", "b"])
        self.assertIn(b"GET /v1/runs?task_id=t&limit=1&cursor=a+b HTTP/1.1\r\n", play.opened[0].sent)

    def test_how_long_an_answer_is_waited_for(self):
        class Watched(Play):
            def do(self, step):
                if type(step).__name__ == "Receive":
                    self.waits = step.timeout
                return super().do(step)
        for timeout, waits in ((None, 100), (50, 150)):
            play = Watched(Scripted(answer(body=b'{"run_id":"x","status":"completed"}')), wait_timeout=100)
            play.run(runs.execute(runs.Server(play.session), ["true"], timeout=timeout))
            self.assertEqual(play.waits, waits)
        with self.assertRaises(ValueError):
            runs.execute(runs.Server(play.session), ["true"], timeout=0)
        with self.assertRaises(TypeError):
            runs.execute(runs.Server(play.session), b"true")


if __name__ == "__main__":
    unittest.main()
