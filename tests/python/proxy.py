"""What lies between a client and sbxd: it cuts connections, or speaks TLS, or says nothing."""

import os
import selectors
import socket
import ssl
import tempfile
import threading


class Proxy:
    """`cut_after`: so many bytes of an answer, of the first `cuts` connections that come to that; `to`: none, and it never answers."""

    def __init__(self, to, *, cut_after=None, cuts=0, tcp=False, tls=None):
        self._to = to
        self._cut_after = cut_after
        self._cuts = cuts
        self._tls: ssl.SSLContext | None = tls
        self.cut = 0
        self.connections = 0
        self.asked = b""
        self._place = tempfile.TemporaryDirectory()
        self.path = os.path.join(self._place.name, "sock")
        self._listener = socket.create_server(("127.0.0.1", 0)) if tcp or tls else socket.socket(socket.AF_UNIX)
        if self._listener.family == socket.AF_UNIX:
            self._listener.bind(self.path)
            self._listener.listen()
        self.port = self._listener.getsockname()[1] if tcp or tls else None
        self._over, self._tell = socket.socketpair()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *error):
        self._tell.close()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._over.close()
        self._place.cleanup()

    def _readable(self, *sockets):
        with selectors.DefaultSelector() as selector:
            for one in (*sockets, self._over):
                selector.register(one, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select()]
        return [] if self._over in ready else ready

    def _accept(self):
        while self._readable(self._listener):
            connection, _ = self._listener.accept()
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client):
        try:
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            with client:
                if self._to is None:
                    while self._readable(client) and client.recv(65536):
                        pass
                    return
                with socket.socket(socket.AF_UNIX) as server:
                    server.connect(self._to)
                    self._forward(client, server)
        except OSError:
            client.close()

    def _forward(self, client, server):
        answered = 0
        while True:
            waiting = [client] if isinstance(client, ssl.SSLSocket) and client.pending() else self._readable(client, server)
            if not waiting:
                return
            for one in waiting:
                data = one.recv(65536)
                if not data:
                    return
                if one is client:
                    self.asked += data
                    server.sendall(data)
                    continue
                answered += len(data)
                if self._cut_after is not None and self.cut < self._cuts and answered > self._cut_after:
                    self.cut += 1
                    return
                client.sendall(data)
