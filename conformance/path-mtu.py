#!/usr/bin/env python3
"""Runs whole programs over a path that does not carry packets of the usual size.

Four hosts, as network namespaces:

    registrar, user  -- 1,500 --  router  == narrow ==  router  -- 1,500 --  element

The hosts believe in 1,500 octets, as hosts do whose path narrows somewhere on the way. What must hold for each MTU of
the narrow link, with the ICMP messages of the routers and without them:

  * the element registers and stays registered;
  * a user gets every answer, from 1 octet to 20,000, within the limit and with no failover, and so does another one;
  * a user that is answered while the link narrows goes on, or goes on in another association.

usage: conformance/path-mtu.py [--mtu 1000 --mtu 600] [--limit-s 5] [--json] [--program PATH]
Needs root and iproute2. Ends with 0 if all holds, 1 if not, 2 if it cannot run here.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

NEAR, LEFT, RIGHT, FAR = (f"rsp-{name}-{os.getpid()}" for name in ("near", "left", "right", "far"))
LINKS = ((NEAR, LEFT), (LEFT, RIGHT), (RIGHT, FAR))
SIZES = (1, 400, 600, 1_000, 1_500, 5_000, 20_000)
USUAL_MTU = 1_500
PATIENCE_S = 30
SETTLE_S = 3


class CannotRun(Exception):
    """This machine lacks something."""


class Broken(Exception):
    """Something does not hold."""


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotRun(f"`{' '.join(words)}` failed: {done.stderr.strip()}")
    return done.stdout


class Network:
    """The hosts, the routers, and the narrow link between these."""

    def __init__(self, icmp):
        for namespace in (NEAR, LEFT, RIGHT, FAR):
            command("ip", "netns", "add", namespace)
            command("ip", "-n", namespace, "link", "set", "lo", "up")
        for link, (one, other) in enumerate(LINKS):
            command("ip", "-n", one, "link", "add", f"link{link}", "type", "veth", "peer", "name", f"link{link}",
                    "netns", other)
            for last, namespace in ((1, one), (2, other)):
                command("ip", "-n", namespace, "addr", "add", f"10.78.{link}.{last}/24", "dev", f"link{link}")
                command("ip", "-n", namespace, "link", "set", f"link{link}", "up")
        for namespace, gateway in ((NEAR, "10.78.0.2"), (LEFT, "10.78.1.2"), (RIGHT, "10.78.1.1"), (FAR, "10.78.2.1")):
            command("ip", "-n", namespace, "route", "add", "default", "via", gateway)
        for router in (LEFT, RIGHT):
            command("ip", "netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            if not icmp:
                command("ip", "-n", router, "rule", "add", "pref", "0", "iif", "lo", "ipproto", "icmp", "blackhole")

    @staticmethod
    def narrow(mtu):
        for router in (LEFT, RIGHT):
            command("ip", "-n", router, "link", "set", "link1", "mtu", str(mtu))

    @staticmethod
    def remove():
        for namespace in (NEAR, LEFT, RIGHT, FAR):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)


class Program:
    """One process of `rserpool` in a namespace; its lines are events with the time at which they came."""

    def __init__(self, path, namespace, *arguments):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(["ip", "netns", "exec", namespace, path, *arguments], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.lines = []
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait(self, what, found, within=PATIENCE_S):
        """Waits for a line that is so; how long that took, in seconds."""
        begin = time.monotonic()
        with self.changed:
            if not self.changed.wait_for(lambda: any(map(found, self.lines)), within):
                self.log.seek(0)
                seen = [line[:100] for line in self.lines[-5:]]
                raise Broken(f"no {what} within {within} s: {seen} {self.log.read()[-300:]}")
        return time.monotonic() - begin

    def ask(self, octets, within):
        text = f"{len(self.lines)}-".ljust(octets, "x")[:octets]
        self.process.stdin.write(text + "\n")
        answer = json.dumps(text)
        return self.wait(f"answer of {octets} octets", lambda line: '"answer"' in line and answer in line, within)

    def count(self, event):
        with self.changed:
            return sum(f'"{event}"' in line for line in self.lines)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()


def gauges(program):
    words = ["ip", "netns", "exec", NEAR, program, "stats", "--registrar", "10.78.0.1", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def measure(program, mtu, icmp, limit):
    """One run. What was measured.

    Raises Broken if something does not hold."""
    Network(icmp)
    programs = []

    def start(namespace, *arguments):
        programs.append(Program(program, namespace, *arguments))
        return programs[-1]

    def user():
        talker = start(NEAR, "connect", "EchoPool", "--json", "--registrar", "10.78.0.1", "--preset", "fast")
        talker.wait("session", lambda line: '"opened"' in line)
        return talker

    try:
        Network.narrow(mtu)
        registrar = start(NEAR, "registrar", "--id", "0x1", "--bind", "0.0.0.0:9899", "--tcp", "no", "--announce", "no",
                          "--address", "10.78.0.1", "--preset", "fast")
        registrar.wait("registrar", lambda line: "listens" in line)
        element = start(FAR, "serve", "echo", "--id", "0x2001", "--json", "--registrar", "10.78.0.1", "--preset", "fast")
        element.wait("registration", lambda line: "registered" in line)
        waits = {}
        for _ in range(2):
            talker = user()
            for octets in SIZES:
                waits[octets] = max(waits.get(octets, 0), talker.ask(octets, limit))
            if talker.count("failover") or talker.count("element_failed"):
                raise Broken("the session has moved")
        # The path narrows under a session that uses large packets.
        Network.narrow(USUAL_MTU)
        talker = user()
        for _ in range(3):
            talker.ask(SIZES[-1], limit)
        Network.narrow(mtu)
        change = max(talker.ask(SIZES[-1], PATIENCE_S) for _ in range(2))
        time.sleep(SETTLE_S)
        told = gauges(program)
        if told.get("gauges", {}).get("elements") != 1:
            raise Broken(f"the element is lost: {told}")
        return {"mtu": mtu, "icmp": icmp, "longest_wait_ms": round(max(waits.values()) * 1e3, 1),
                "wait_at_change_ms": round(change * 1e3, 1), "wrong": None}
    except Broken as error:
        return {"mtu": mtu, "icmp": icmp, "wrong": str(error)}
    finally:
        for each in reversed(programs):
            each.stop()
        Network.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(os.path.dirname(__file__), "..", "target"))
    parser.add_argument("--program", default=os.path.join(target, "release", "rserpool"))
    parser.add_argument("--mtu", type=int, action="append", help="of the narrow link")
    parser.add_argument("--limit-s", type=float, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    results = []
    try:
        if os.geteuid() != 0:
            raise CannotRun("needs root, to make network namespaces")
        if not os.access(program, os.X_OK):
            raise CannotRun(f"{program} is missing: cargo build --release -p rserpool")
        for mtu in options.mtu or (1_000, 600):
            for icmp in (True, False):
                result = measure(program, mtu, icmp, options.limit_s)
                results.append(result)
                if not options.json:
                    name = f"MTU {mtu}, {'with' if icmp else 'without'} ICMP"
                    print(f"{name}: " + (result["wrong"] or f"ok, longest wait {result['longest_wait_ms']} ms, "
                                         f"{result['wait_at_change_ms']} ms when the path narrows"), flush=True)
    except (CannotRun, FileNotFoundError) as error:
        Network.remove()
        print(f"skipped: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(results, indent=2))
    return int(any(result["wrong"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
