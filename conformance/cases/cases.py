#!/usr/bin/env python3
"""Situations in which nothing is dead and nothing may be lost, played with whole programs.

  * slow-link: 200 kB go over 20 Mbit/s with timers for a LAN; they are answered once, and no element fails;
  * pauses: an element is frozen until it is removed, three times; each time it is listed again soon after the thaw;
  * tables: two registrars with different timers never agree, because one of them refuses a pool; it still has every
    element that it may have, at any time;
  * reports: a client reports a living element as unreachable, as fast as it can; the element is asked once a second
    at most, and stays.

usage: conformance/cases/cases.py [--only NAME] [--program PATH]
Needs Linux (addresses 127.0.0.x). Ends with 0 if all is right, 1 if something is wrong. About 35 s.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

HOME, FAR = "127.0.0.1", "127.0.0.9"
POOL, ELEMENT = "EchoPool", 0x2001
PATIENCE_S = 30


class Wrong(Exception):
    """Something is not as it should be."""


def free_port(kind=socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOME, 0))
        return probe.getsockname()[1]


class Scope:
    """Processes of the program, which end with the case."""

    def __init__(self, program):
        self.program, self.processes = program, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def start(self, *words):
        null = subprocess.DEVNULL
        process = subprocess.Popen([self.program, *words], stdin=null, stdout=null, stderr=null)
        self.processes.append(process)
        return process

    def registrar(self, *words):
        """Starts a registrar that serves; returns its address."""
        place = f"{HOME}:{free_port()}"
        self.start("registrar", "--bind", place, "--announce", "no", *words)
        until(lambda: self.run("health", "--registrar", place).returncode == 0, "the registrar does not serve")
        return place

    def element(self, registrar, *words, bind=f"{HOME}:0"):
        element = self.start("serve", "echo", "--registrar", registrar, "--id", hex(ELEMENT), "--bind", bind, *words)
        until(lambda: self.lists(registrar), "the element is not listed")
        return element

    def run(self, *words, text=""):
        done = [self.program, *words]
        return subprocess.run(done, input=text, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def lists(self, registrar):
        return self.run("resolve", POOL, "--registrar", registrar, "--preset", "fast").returncode == 0

    def counters(self, registrar):
        return json.loads(self.run("stats", "--registrar", registrar, "--json").stdout)["counters"]


def until(is_so, otherwise, within=PATIENCE_S):
    """Waits until something is so; returns how many seconds that took."""
    begin = time.monotonic()
    while not is_so():
        if time.monotonic() - begin > within:
            raise Wrong(otherwise)
        time.sleep(0.1)
    return time.monotonic() - begin


class Way(asyncio.DatagramProtocol):
    """One end of a slow link. What it hears leaves by `out`, not faster than the rate, or is lost if the queue is
    full."""

    def __init__(self, link, out):
        self.link, self.out, self.free = link, out, 0.0

    def datagram_received(self, octets, source):
        now = time.monotonic()
        self.free = max(self.free, now)
        if (self.free - now) * self.link.octets_per_second > self.link.queue:
            return
        self.free += len(octets) / self.link.octets_per_second
        wait = self.free - now + self.link.delay
        asyncio.get_running_loop().call_later(wait, self.out, octets, source)


class SlowLink:
    """A link between FAR, where its users send to, and HOME, where its element is, both at the same port."""

    def __init__(self, port, megabits, delay=0.005, queue=64_000):
        self.port, self.octets_per_second, self.delay, self.queue = port, megabits * 125_000, delay, queue
        self.backs = {}
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self.serve, args=(ready,), daemon=True).start()
        ready.wait()

    def serve(self, ready):
        way = Way(self, lambda octets, user: self.loop.create_task(self.forth(octets, user)))
        endpoint = self.loop.create_datagram_endpoint(lambda: way, local_addr=(FAR, self.port))
        self.front, _ = self.loop.run_until_complete(endpoint)
        ready.set()
        self.loop.run_forever()

    async def forth(self, octets, user):
        """To the element, from an address that stands for this user."""
        if user not in self.backs:
            back = Way(self, lambda answer, _: self.front.sendto(answer, user))
            endpoint = self.loop.create_datagram_endpoint(lambda: back, local_addr=(HOME, 0))
            self.backs[user] = self.loop.create_task(endpoint)
        transport, _ = await self.backs[user]
        transport.sendto(octets, (HOME, self.port))


def slow_link(scope):
    registrar, port = scope.registrar("--preset", "fast"), free_port()
    SlowLink(port, megabits=20)
    scope.element(registrar, "--preset", "fast", "--address", FAR, "--foreign-addresses", "yes", bind=f"{HOME}:{port}")
    request, begin = "x" * 200_000, time.monotonic()
    talk = scope.run("connect", POOL, "--registrar", registrar, "--preset", "fast", "--json", text=request + "\n")
    events = [json.loads(line)["event"] for line in talk.stdout.splitlines()]
    if talk.returncode != 0 or events != ["opened", "answer"]:
        raise Wrong(f"{events}, exit code {talk.returncode}: {talk.stderr.strip()}")
    if scope.counters(registrar)["unreachable_reports"] != 0:
        raise Wrong("the element was reported")
    return f"200 kB answered once, {time.monotonic() - begin:.1f} s after the start of the user"


def pauses(scope):
    # A registrar that notices a pause soon, and an element with the timers of the RFC.
    registrar = scope.registrar("--keep-alive-interval", "1s", "--keep-alive-timeout", "1s")
    element, waits = scope.element(registrar), []
    for _ in range(3):
        element.send_signal(signal.SIGSTOP)
        until(lambda: not scope.lists(registrar), "a frozen element stays listed")
        time.sleep(1)
        element.send_signal(signal.SIGCONT)
        waits.append(until(lambda: scope.lists(registrar), "a thawed element stays off the list"))
        time.sleep(1)
    longest = max(waits)
    if longest > 6:
        raise Wrong(f"off the list for {longest:.1f} s after a thaw")
    return f"listed again {longest:.1f} s after a thaw at most"


def tables(scope):
    first = scope.registrar("--id", "0x1", "--preset", "rfc", "--balance", "no")
    second = scope.registrar("--id", "0x2", "--preset", "fast", "--balance", "no", "--max-pools", "1", "--peer", first)
    scope.start("bench", "--registrar", first, "--pool", "A", "--elements", "200", "--users", "0", "--seconds", "600")

    def copy():
        pools = json.loads(scope.run("pools", "--registrar", second, "--json").stdout)["pools"]
        return next((len(pool["elements"]) for pool in pools if pool["handle"] == "A"), 0)

    until(lambda: copy() == 200, "the second registrar does not get all elements")
    scope.element(first, "--pool", POOL)
    before, end, fewest = scope.counters(second)["resynchronisations"], time.monotonic() + 12, 200
    while time.monotonic() < end:
        fewest = min(fewest, copy())
    downloads = scope.counters(second)["resynchronisations"] - before
    if fewest != 200 or downloads == 0:
        raise Wrong(f"{fewest} of 200 elements, {downloads} downloads")
    return f"200 of 200 elements all the time, during {downloads} downloads"


def reports(scope):
    port = free_port(socket.SOCK_STREAM)
    registrar = scope.registrar("--preset", "fast", "--keep-alive-interval", "1h", "--tcp", f"{HOME}:{port}")
    scope.element(registrar, "--preset", "fast")
    handle = POOL.encode()
    pool = struct.pack(">HH", 0x9, 4 + len(handle)) + handle
    body = pool + struct.pack(">HHI", 0xe, 8, ELEMENT)
    report = struct.pack(">BBH", 0x9, 0, 4 + len(body)) + body
    before, seconds, sent = scope.counters(registrar)["keep_alives"], 5, 0
    with socket.create_connection((HOME, port), timeout=PATIENCE_S) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            client.sendall(report * 20)
            sent += 20
            time.sleep(0.001)
    counters = scope.counters(registrar)
    asked = counters["keep_alives"] - before
    if counters["unreachable_reports"] < 1000 or asked > seconds + 2 or not scope.lists(registrar):
        raise Wrong(f"{sent} reports, {asked} keep-alives, listed: {scope.lists(registrar)}")
    return f"{sent} reports in {seconds} s caused {asked} keep-alives, and the element is listed"


CASES = {"slow-link": slow_link, "pauses": pauses, "tables": tables, "reports": reports}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", choices=CASES, help="play this one only")
    built = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "rserpool")
    parser.add_argument("--program", default=built, help="default: the release build")
    arguments = parser.parse_args()
    wrong = 0
    for name, play in CASES.items():
        if arguments.only in (None, name):
            try:
                with Scope(arguments.program) as scope:
                    print(f"right  {name}: {play(scope)}", flush=True)
            except (Wrong, subprocess.TimeoutExpired) as problem:
                wrong += 1
                print(f"WRONG  {name}: {problem}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
