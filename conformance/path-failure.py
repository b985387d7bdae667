#!/usr/bin/env python3
"""Cuts one of two links between whole programs, again and again, and measures how long service stops.

Two hosts, as network namespaces, with two links between them (two pairs of veth interfaces):

    registrar, user  ==== link 1, link 2 ====  element, and a second user that asks anew

The user talks to the element all the time, so its session, the element's registration and its keep-alives
all cross the link that is cut. What must hold for every cut:

  * each request is answered within the limit (500 ms);
  * the session stays where it is: no failover;
  * the registrar keeps the element: no removal, and it finds no reason to end the registration;
  * a user that starts while the link is down finds the element.

A link is cut in two ways: `down` (the interface of the element's host goes down, so its operating system
knows) and `silent` (both hosts are given a hardware address for the other that nobody has, so all packets get
lost and nobody is told). The first link carries the traffic, since it has the first address of each; it is put
back after each cut, and the next cut comes when traffic is back on it.

usage: conformance/path-failure.py [--rounds 5] [--limit-ms 500] [--json] [--program PATH]
Needs root and iproute2. Ends with 0 if the goal holds, 1 if not, 2 if it cannot run here.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

NEAR, FAR = f"rsp-near-{os.getpid()}", f"rsp-far-{os.getpid()}"
LINKS = (1, 2)
# What the programs are given at both hosts: to list all their addresses, and timers for a LAN.
COMMON = ["--preset", "fast", "--sctp-tell-addresses"]
REGISTRARS = ["--registrar", "10.77.1.1,10.77.2.1"]
# Long enough for several keep-alives, so that a registrar which is wrong about the element says so.
CUT_S = 1.5
# Long enough for HEARTBEATs to find the first address again.
HEAL_S = 1.5
PATIENCE_S = 10


class CannotRun(Exception):
    """This machine lacks something."""


class Broken(Exception):
    """The programs do not get as far as to be measured."""


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotRun(f"`{' '.join(words)}` failed: {done.stderr.strip()}")
    return done.stdout


class Network:
    """Two namespaces with two links."""

    def __init__(self):
        for namespace in (NEAR, FAR):
            command("ip", "netns", "add", namespace)
            command("ip", "-n", namespace, "link", "set", "lo", "up")
        for link in LINKS:
            command("ip", "-n", NEAR, "link", "add", f"link{link}", "type", "veth",
                    "peer", "name", f"link{link}", "netns", FAR)
            for host, namespace in ((1, NEAR), (2, FAR)):
                command("ip", "-n", namespace, "addr", "add", f"10.77.{link}.{host}/24", "dev", f"link{link}")
                command("ip", "-n", namespace, "link", "set", f"link{link}", "up")

    @staticmethod
    def cut(how):
        if how == "down":
            command("ip", "-n", FAR, "link", "set", "link1", "down")
        else:
            for namespace, other in ((NEAR, 2), (FAR, 1)):
                command("ip", "-n", namespace, "neigh", "replace", f"10.77.1.{other}", "dev", "link1",
                        "lladdr", "02:00:00:00:77:ff", "nud", "permanent")

    @staticmethod
    def heal(how):
        if how == "down":
            command("ip", "-n", FAR, "link", "set", "link1", "up")
        else:
            for namespace, other in ((NEAR, 2), (FAR, 1)):
                command("ip", "-n", namespace, "neigh", "del", f"10.77.1.{other}", "dev", "link1")

    @staticmethod
    def packets():
        """Packets received over each link by the registrar's host."""
        interfaces = json.loads(command("ip", "-n", NEAR, "-s", "-j", "link"))
        return {i["ifname"]: i["stats64"]["rx"]["packets"] for i in interfaces if i["ifname"] != "lo"}

    @staticmethod
    def remove():
        for namespace in (NEAR, FAR):
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
                self.lines.append((time.monotonic(), line.rstrip("\n")))
                self.changed.notify_all()

    def events(self):
        with self.changed:
            return [(at, json.loads(line)) for at, line in self.lines]

    def await_line(self, text):
        with self.changed:
            if not self.changed.wait_for(lambda: any(text in line for _, line in self.lines), PATIENCE_S):
                raise Broken(f"no \"{text}\" from {self.process.args[4:6]}: {self.lines} {self.errors()}")

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Talk:
    """A request every 10 ms through a session; each is a number that has not been before."""

    def __init__(self, user):
        self.user = user
        self.sent = []
        self.going = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.going:
            self.sent.append(time.monotonic())
            try:
                self.user.process.stdin.write(f"{len(self.sent) - 1}\n")
            except OSError:
                return
            time.sleep(0.01)

    def waits(self, begin, end):
        """How long each request that was sent within these moments waited for its answer; None for ever."""
        answers = {}
        for at, event in self.user.events():
            if event["event"] == "answer":
                answers.setdefault(int(event["text"]), at)
        asked = [(number, at) for number, at in enumerate(self.sent) if begin <= at < end]
        return [answers[number] - at if number in answers else None for number, at in asked]


def tell(program, namespace, *arguments):
    done = subprocess.run(["ip", "netns", "exec", namespace, program, *arguments], capture_output=True, text=True,
                          timeout=30, check=False)
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)


def milliseconds(seconds):
    return round(1000 * seconds, 1)


def measure(program, how, rounds):
    """Yields one result for each cut."""
    registrar = Program(program, NEAR, "registrar", "--id", "0x1", "--bind", "0.0.0.0:9899", "--tcp", "no",
                        "--address", "10.77.1.1,10.77.2.1", "--announce", "no", "--check-addresses", *COMMON)
    programs = [registrar]
    try:
        registrar.await_line("listens")
        element = Program(program, FAR, "serve", "echo", "--id", "0x2001", "--json", *REGISTRARS, *COMMON)
        programs.append(element)
        element.await_line("registered")
        user = Program(program, NEAR, "connect", "EchoPool", "--json", *REGISTRARS, *COMMON)
        programs.append(user)
        user.await_line("opened")
        talk = Talk(user)
        time.sleep(HEAL_S)
        def stats():
            told = tell(program, NEAR, "stats", "--registrar", "10.77.2.1", "--json") or {}
            return {**told.get("gauges", {}), **told.get("counters", {})}

        for _ in range(rounds):
            before, packets = stats(), Network.packets()
            time.sleep(0.2)
            carried = {link: Network.packets()[link] - packets[link] for link in packets}
            cut = time.monotonic()
            Network.cut(how)
            asked = time.monotonic()
            found = tell(program, FAR, "resolve", "EchoPool", "--json", *REGISTRARS, *COMMON)
            found_s = time.monotonic() - asked
            time.sleep(max(0.0, cut + CUT_S - time.monotonic()))
            end = time.monotonic()
            Network.heal(how)
            time.sleep(HEAL_S)
            waits = talk.waits(cut - 0.1, end)
            usual = [wait for wait in talk.waits(cut - 0.6, cut - 0.3) if wait is not None]
            after = stats()
            elements = found["elements"] if found else []
            addresses = elements[0]["transports"][0]["addresses"] if elements else []
            moved = [event for _, event in user.events() if event["event"] in ("failover", "element_failed")]
            removed = sum(after.get(name, 0) - before.get(name, 0) for name in after if name.startswith("removed"))
            yield {
                "how": how,
                "carried_before": carried,
                "requests": len(waits),
                "unanswered": sum(wait is None for wait in waits),
                "usual_wait_ms": milliseconds(statistics.median(usual)) if usual else None,
                "longest_wait_ms": milliseconds(max((wait for wait in waits if wait is not None), default=0)),
                "failovers": len(moved),
                "removed": removed,
                "elements": after.get("elements", 0),
                "new_user_ms": milliseconds(found_s) if found else None,
                "listed_addresses": addresses,
            }
        talk.going = False
    finally:
        for each in reversed(programs):
            each.stop()


def good(result, limit_ms):
    return (result["requests"] > 0 and result["unanswered"] == 0 and result["longest_wait_ms"] <= limit_ms
            and result["failovers"] == 0 and result["removed"] == 0 and result["elements"] == 1
            and result["new_user_ms"] is not None and len(result["listed_addresses"]) == 2
            and result["carried_before"]["link1"] > result["carried_before"]["link2"])


def spread(results, key):
    values = [result[key] for result in results if result[key] is not None]
    if not values:
        return None
    return {"min": min(values), "median": round(statistics.median(values), 1), "max": max(values)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(os.path.dirname(__file__), "..", "target"))
    parser.add_argument("--program", default=os.path.join(target, "release", "rserpool"))
    parser.add_argument("--rounds", type=int, default=5, help="cuts of each kind")
    parser.add_argument("--limit-ms", type=float, default=500)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    results = {}
    try:
        if os.geteuid() != 0:
            raise CannotRun("needs root, to make network namespaces")
        if not os.access(program, os.X_OK):
            raise CannotRun(f"{program} is missing: cargo build --release -p rserpool")
        try:
            Network()
            for how in ("down", "silent"):
                results[how] = []
                for result in measure(program, how, options.rounds):
                    result["good"] = good(result, options.limit_ms)
                    results[how].append(result)
                    if not options.json:
                        print(f"{how}: {'ok  ' if result['good'] else 'FAIL'} longest wait "
                              f"{result['longest_wait_ms']} ms of {result['requests']} requests "
                              f"(usually {result['usual_wait_ms']} ms), "
                              f"{result['unanswered']} unanswered, {result['failovers']} failovers, "
                              f"{result['removed']} removals, a new user took {result['new_user_ms']} ms, "
                              f"listed: {' '.join(result['listed_addresses'])}", flush=True)
        finally:
            Network.remove()
    except (CannotRun, FileNotFoundError) as error:
        print(f"skipped: {error}", file=sys.stderr)
        return 2
    except Broken as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    holds = all(result["good"] for each in results.values() for result in each)
    summary = {how: {key: spread(each, key) for key in ("longest_wait_ms", "new_user_ms")}
               for how, each in results.items()}
    if options.json:
        print(json.dumps({"holds": holds, "limit_ms": options.limit_ms, "summary": summary, "cuts": results}, indent=2))
    else:
        for how, keys in summary.items():
            for key, values in keys.items():
                print(f"{how}: {key} min/median/max {values and '/'.join(str(v) for v in values.values())}")
        print("the goal holds" if holds else "the goal does NOT hold")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
