"""Who asks: a request every 20 ms, whatever becomes of the one before."""

import contextlib
import json
import socket
import subprocess
import threading
import time

INTERVAL = 0.02


class Asker:
    """Notes for each request when it was to be sent and when it was answered."""

    def __init__(self):
        self.asked, self.answered, self.serving = {}, {}, None
        self.twice, self.over, self.quiet = 0, threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        number, at = 0, time.monotonic()
        while not self.over.is_set():
            if not self.quiet.is_set():
                self.asked[number] = at
                self.put(number)
                number += 1
            at += INTERVAL
            time.sleep(max(0.0, at - time.monotonic()))

    def note(self, number, server):
        self.serving = server
        if number in self.answered:
            self.twice += 1
        self.answered.setdefault(number, time.monotonic())

    def gap(self, since, until):
        """The longest that a request of this time took; those without an answer took until now."""
        now = time.monotonic()
        took = [self.answered.get(n, now) - at for n, at in self.asked.copy().items() if since - 0.1 <= at <= until]
        return max(took, default=0.0)

    def unanswered(self):
        return len(self.asked) - len(self.answered)


class OfPool(Asker):
    """A user of the pool: `rserpool connect`."""

    def __init__(self, process, server_of):
        super().__init__()
        self.process, self.server_of = process, server_of
        threading.Thread(target=self.read, daemon=True).start()
        self.thread.start()

    def put(self, number):
        with contextlib.suppress(OSError):
            self.process.stdin.write(f"{number}\n")
            self.process.stdin.flush()

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "answer":
                self.note(int(event["text"]), self.server_of(event["element"]))


class OfTcp(Asker):
    """A client with one TCP connection. It comes again, and asks again, when that ends, or an answer takes a second."""

    PATIENCE = 1.0

    def __init__(self, network, host, place):
        super().__init__()
        # Sockets belong to the namespace in which they were made: another process asks for them.
        self.network, self.host, self.place = network, host, place
        self.lock, self.connection = threading.Lock(), None
        threading.Thread(target=self.read, daemon=True).start()
        self.thread.start()

    def put(self, number):
        with self.lock, contextlib.suppress(OSError):
            if self.connection:
                self.connection.sendall(f"{number}\n".encode())

    def open_requests(self):
        return [n for n in list(self.asked) if n not in self.answered]

    def read(self):
        while not self.over.is_set():
            try:
                connection = in_namespace(self.network.name(self.host), lambda: connect(self.place()))
            except OSError:
                time.sleep(0.002)
                continue
            with self.lock:
                self.connection = connection
                with contextlib.suppress(OSError):
                    connection.sendall("".join(f"{n}\n" for n in self.open_requests()).encode())
            self.serve(connection)
            with self.lock:
                self.connection = None
            connection.close()

    def serve(self, connection):
        rest, begin = b"", time.monotonic()
        while not self.over.is_set():
            connection.settimeout(0.05)
            try:
                octets = connection.recv(65536)
            except TimeoutError:
                oldest = min((self.asked[n] for n in self.open_requests()), default=None)
                if oldest is not None and time.monotonic() - max(oldest, begin) > self.PATIENCE or self.must_leave():
                    return
                continue
            except OSError:
                return
            if not octets:
                return
            *lines, rest = (rest + octets).split(b"\n")
            for line in lines:
                number, server = line.split()
                self.note(int(number), int(server))

    def must_leave(self):
        return False


def connect(place):
    return socket.create_connection(place, 1.0)


def in_namespace(name, make):
    """What `make` returns in a thread that has entered the namespace."""
    made = []

    def run():
        try:
            with open(f"/run/netns/{name}") as namespace:
                _setns(namespace.fileno())
            made.append(make())
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def _setns(descriptor):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1, "stderr": subprocess.DEVNULL}
