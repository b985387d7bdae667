#!/usr/bin/env python3
"""A registrar under siege: what attackers cost it, and what honest elements and users notice.

A registrar serves a pool of honest elements (`rserpool bench`) and two honest users, one with an association of its own
and one that opens another for each question. One attack after the other comes from other addresses of loopback. What
must hold at each:

  * the memory of the registrar stays below the limit (200 MB);
  * no honest user waits longer than the limit (500 ms), and none goes without an answer;
  * no honest element is lost;
  * the registrar lives.

usage: conformance/siege/siege.py [--short] [--limit-ms 500] [--only NAME] [--json] [--program PATH]
Needs Linux (addresses 127.0.0.x, /proc). Ends with 0 if all holds, 1 if not, 2 if it cannot run here.
"""

import argparse
import json
import multiprocessing
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from peer import *

POOL = "bench"
HOME = "127.0.0.1"
MEMORY_LIMIT = 200
FORK = multiprocessing.get_context("fork")


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOME, 0))
        return probe.getsockname()[1]


class Registrar:
    """The program under siege, its elements and its honest users."""

    def __init__(self, program, elements):
        self.folder = tempfile.mkdtemp(prefix="siege-")
        self.target, self.tcp = (HOME, free_port(socket.SOCK_DGRAM)), (HOME, free_port(socket.SOCK_STREAM))
        self.program, self.elements = program, elements
        place = f"{HOME}:{self.target[1]}"
        self.process = self.start("registrar", "registrar", "--bind", place, "--id", "0x1", "--announce", "no",
                                  "--tcp", f"{HOME}:{self.tcp[1]}")
        time.sleep(0.5)
        self.bench = self.start("bench", "bench", "--registrar", place, "--elements", str(elements), "--users", "0",
                                "--seconds", "36000")
        end = time.monotonic() + 60
        while self.counters().get("elements") != elements:
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("siege: the honest elements did not register; see " + self.folder)
            time.sleep(0.5)

    def start(self, name, *arguments):
        log = open(os.path.join(self.folder, name + ".log"), "wb")
        return subprocess.Popen([self.program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def counters(self):
        """What the registrar counts; empty if it does not answer."""
        try:
            peer = Peer(self.target).connect()
            text = peer.ask(b"counters", MANAGEMENT).decode()
            peer.close()
        except Gone:
            return {}
        return {name: int(value) for name, value in (line.split() for line in text.splitlines())}

    def memory(self):
        """Megabytes of memory, and seconds of processor time."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            pages = int(file.read().split()[1])
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, ticks / os.sysconf("SC_CLK_TCK")

    def end(self):
        for process in (self.bench, self.process):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Honest:
    """A user that asks every 100 ms, with one association or with another for each question; a process of its own."""

    def __init__(self, target, stays):
        self.target, self.stays, self.over = target, stays, FORK.Event()
        self.verdicts, there = FORK.Pipe(duplex=False)
        self.process = FORK.Process(target=self.run, args=(there,), daemon=True)
        self.process.start()

    def run(self, there):
        peer, waits, failures = None, [], []
        while not self.over.is_set():
            begin = time.monotonic()
            try:
                peer = peer or Peer(self.target).connect()
                answer = peer.ask(resolution(POOL))
                if answer[0] != 6 or b"\0\x0a" not in answer:
                    raise Gone("an answer without elements")
                waits.append(time.monotonic() - begin)
                if not self.stays:
                    peer.close()
                    peer = None
            except Gone as reason:
                failures.append(str(reason))
                peer = None
            self.over.wait(max(0.0, begin + 0.1 - time.monotonic()))
        there.send((max(waits, default=0.0) * 1e3, failures))

    def verdict(self):
        self.over.set()
        return self.verdicts.recv() if self.verdicts.poll(30) else (0.0, ["the honest user hangs"])


# The attacks. Each is given the registrar, an address that no honest one has, and how much of it is wanted (1.0 is all).

def fragments(registrar, address, share):
    """A message in fragments of an octet."""
    for _ in range(int(10 * share) or 1):
        peer = Peer(registrar.target, address).connect()
        for n in range(34):
            first = peer.tsn
            peer.tsn += 3000
            peer.put(*(data(first + m, b"x", flags=BEGIN if n == m == 0 else 0) for m in range(3000)))
            if not peer.settle():
                break


def copies(registrar, address, share):
    """A fragment that nothing completes in each datagram, and a copy of an old one beside it."""
    peer = Peer(registrar.target, address).connect()
    peer.ask(resolution(POOL))
    old = data(peer.tsn - 1, bytes(20_000))
    for n in range(1, int(3000 * share) + 1):
        peer.put(data(peer.tsn + n, b"x", sequence=peer.sequence + n), old)
        peer.receive()
        if peer.ended is not None:
            return


def unread(registrar, address, share):
    """Users that ask for a large pool and take no answers."""
    owner = Peer(registrar.target, address).connect()
    owner.say(*(registration("LARGE", 0x70000000 + n, "10.9.9.9", 8) for n in range(600)))
    owner.settle()
    for n in range(int(200 * share)):
        peer = Peer(registrar.target, f"127.0.0.{2 + n % 9}", window=1500, acknowledges=False).connect()
        peer.say(*[resolution("LARGE", 0xFFFFFFFF)] * 79)
        peer.say(*[b"counters"] * 50, protocol=MANAGEMENT)


def blocks(registrar, address, share):
    """SACKs with as many gap blocks as fit a datagram, over all that is in flight."""
    peer = Peer(registrar.target, address, acknowledges=False).connect()
    first = peer.cumulative
    peer.say(*[resolution(POOL, 100)] * 500)
    for _ in range(int(50 * share) or 1):
        peer.put(sack(first, 1 << 20, [(1, 60)] * 16_000))
        time.sleep(0.05)


def inits(registrar, address, share):
    """INITs, as fast as they go."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((address, 0))
    ready = [packet(random.randrange(1, 65536), ASAP_PORT, 0, init(random.randrange(1, 1 << 32))) for _ in range(500)]
    for n in range(int(100_000 * share)):
        sender.sendto(ready[n % 500], registrar.target)


def associations(registrar, address, share):
    """All places of the association table, from one UDP port; then silence."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sender.bind((address, 0))
    for first in range(1, int(20_000 * share), 50):
        for port in range(first, first + 50):
            sender.sendto(packet(port, ASAP_PORT, 0, init(0x10000 + port)), registrar.target)
        while select.select([sender], [], [], 0.1)[0]:
            _, port, _, found = chunks_of(sender.recv(65535))
            if found[0][0] == INIT_ACK:
                tag = struct.unpack_from("!I", found[0][2])[0]
                echo = chunk(COOKIE_ECHO, 0, cookie_of(found[0][2]))
                sender.sendto(packet(port, ASAP_PORT, tag, echo), registrar.target)
            elif found[0][0] == COOKIE_ACK and port == first + 49:
                break
    time.sleep(5 * share)


def strays(registrar, address, share):
    """Packets of no association, as fast as they go."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((address, 0))
    ready = [packet(1234, ASAP_PORT, random.randrange(1, 1 << 32), chunk(HEARTBEAT)) for _ in range(500)]
    end = time.monotonic() + 10 * share
    while time.monotonic() < end:
        for whole in ready:
            sender.sendto(whole, registrar.target)
        time.sleep(0.02)


def tcp(registrar, address):
    connection = socket.socket()
    connection.bind((address, 0))
    connection.settimeout(2)
    connection.connect(registrar.tcp)
    connection.setblocking(False)
    return connection


def busy_tcp(registrar, address, share):
    """TCP users that ask as fast as they are let, and read."""
    crowd = [tcp(registrar, address) for _ in range(8)]
    question, end = resolution(POOL) * 800, time.monotonic() + 15 * share
    while time.monotonic() < end:
        readable, writable, _ = select.select(crowd, crowd, [], 0.1)
        for connection in readable:
            try:
                connection.recv(1 << 18)
            except OSError:
                pass
        for connection in writable:
            try:
                # What is cut here makes the rest unreadable, and the registrar may hang up: then another comes.
                connection.sendall(question)
            except BlockingIOError:
                pass
            except OSError:
                crowd.remove(connection)
                crowd.append(tcp(registrar, address))
    for connection in crowd:
        connection.close()


def tcp_table(registrar, address, share):
    """All places for TCP connections, from nine addresses that ask once; an honest user comes over TCP, too."""
    crowd = []
    for host in range(2, 11):
        for _ in range(64):
            connection = tcp(registrar, f"127.0.1.{host}")
            connection.send(resolution(POOL))
            crowd.append(connection)
    begin = time.monotonic()
    honest = socket.create_connection(registrar.tcp, 5)
    honest.send(resolution(POOL))
    try:
        answered = honest.recv(4096)[:1] == b"\x06"
    except OSError:
        answered = False
    took = (time.monotonic() - begin) * 1e3
    for connection in [honest, *crowd]:
        connection.close()
    return None if answered else f"an honest user over TCP had no answer after {took:.0f} ms"


def many_pools(registrar, address, share):
    """As many pools as the registrar takes, by one association; an honest element founds another one."""
    peer = Peer(registrar.target, address).connect()
    for first in range(0, int(10_000 * share), 300):
        peer.say(*(registration(f"pool{first + n}", 0x40000000 + first + n, "10.9.9.9") for n in range(300)))
        peer.settle()
    honest = Peer(registrar.target).connect()
    granted = honest.ask(registration("FRESH", 0x50000000 + os.getpid()))
    peer.close()
    honest.close()
    return None if granted[:2] == b"\x03\x00" else "an honest element could not found a pool"


def vanishing(registrar, address, share):
    """Elements that register and are gone; an honest one that died with them has to be noticed."""
    for n in range(int(3000 * share)):
        peer = Peer(registrar.target, address).connect()
        peer.say(registration("VANISHED", 0x60000000 + n))
        peer.settle()
        peer.close()
    honest = Peer(registrar.target).connect()
    honest.ask(registration("DEAD", 0x51000000 + os.getpid()))
    honest.close()
    begin = time.monotonic()
    user = Peer(registrar.target).connect()
    while b"\0\x0a" in user.ask(resolution("DEAD")):
        if time.monotonic() - begin > 30:
            return "an honest element that died is still listed after 30 s"
        time.sleep(0.5)
    return None


def named_peers(registrar, address, share):
    """A false peer names 63 others at the address of a victim, which gets INITs."""
    victim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    victim.bind(("127.0.0.77", 0))
    victim.setblocking(False)
    peer = false_peer(registrar, address, 0x66000000)
    names = [server(0x66000001 + n, "127.0.0.77", victim.getsockname()[1], ENRP_PORT + n) for n in range(63)]
    peer.say(enrp(6, 0x66000000, b"".join(names)), protocol=ENRP)
    octets = packets = 0
    end = time.monotonic() + 60 * share
    while time.monotonic() < end and peer.ended is None:
        answer_heartbeats(peer, 0x66000000, 0.1)
        try:
            while True:
                octets += len(victim.recv(65535))
                packets += 1
        except BlockingIOError:
            pass
    peer.close()
    print(f"  the victim got {packets} packets, {octets} octets, for {sum(map(len, names))}", file=sys.stderr)
    return None if octets <= sum(map(len, names)) * 1.5 else f"a victim got {octets} octets"


def false_peer(registrar, address, identifier):
    """A registrar that is none, in the peer list of the target."""
    peer = Peer(registrar.target, address, port=ENRP_PORT).connect()
    place = server(identifier, *peer.socket.getsockname(), peer.own_port)
    peer.say(enrp(1, identifier, place), protocol=ENRP)
    peer.receive(0.5)
    return peer


def answer_heartbeats(peer, identifier, patience):
    peer.receive(patience)
    for _, said in peer.messages:
        if said[0] == 1 and said[1] & 1:
            peer.say(enrp(1, identifier), protocol=ENRP)
    peer.messages.clear()


def tables(registrar, address, share):
    """A false peer's elements, and datagrams full of questions and takeovers that walk over all of them."""
    peer = false_peer(registrar, address, 0x67000000)
    for first in range(0, int(50_000 * share), 400):
        handle = struct.pack("!HH", 0, 0) + parameter(9, b"WALKED")
        updates = [enrp(4, 0x67000000, handle + element(first + n + 1, 0x67000000, "10.9.9.9")) for n in range(400)]
        peer.say(*updates, protocol=ENRP)
        peer.settle()
        answer_heartbeats(peer, 0x67000000, 0)
    asker = Peer(registrar.target, address, port=ENRP_PORT).connect()
    for _ in range(int(5 * share) or 1):
        asker.say(*[enrp(2, 0, flags=1)] * 1500, protocol=ENRP)
        peer.say(*[enrp(9, 0x67000000, struct.pack("!I", 0x68000000))] * 1600, protocol=ENRP)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            asker.receive(0.01)
            answer_heartbeats(peer, 0x67000000, 0.01)


ATTACKS = [fragments, copies, unread, blocks, inits, associations, strays, busy_tcp, tcp_table, many_pools,
           vanishing, tables, named_peers]


def besiege(registrar, attack, share, limit):
    """Runs one attack; what it cost, and what is wrong."""
    before, (memory, processor) = registrar.counters(), registrar.memory()
    honest = [Honest(registrar.target, stays) for stays in (True, False)]
    time.sleep(0.5)
    peak, over = [memory], threading.Event()

    def watch():
        while not over.wait(0.05):
            peak.append(registrar.memory()[0])

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    wrong = []
    try:
        complaint = attack(registrar, f"127.0.1.{50 + ATTACKS.index(attack)}", share)
        if complaint:
            wrong.append(complaint)
    except (Gone, OSError):
        # That an attacker is sent away is as it should be.
        pass
    time.sleep(1)
    over.set()
    watcher.join()
    waits, failures = zip(*(user.verdict() for user in honest))
    failures = [reason for reasons in failures for reason in reasons]
    after, spent = registrar.counters(), registrar.memory()[1] - processor
    lost = after.get("removed_silent", 0) - before.get("removed_silent", 0)
    listed = after.get("elements", 0)
    if registrar.process.poll() is not None:
        wrong.append(f"the registrar ended with {registrar.process.returncode}")
    if max(peak) > MEMORY_LIMIT:
        wrong.append(f"{max(peak):.0f} MB of memory")
    if max(waits) > limit:
        wrong.append(f"an honest user waited {max(waits):.0f} ms")
    if failures:
        wrong.append(f"{len(failures)} honest questions failed: {failures[0]}")
    if listed < registrar.elements:
        wrong.append(f"{registrar.elements - listed} honest elements lost")
    changed = {name: after[name] - before.get(name, 0) for name in after if name.startswith(("sctp_", "tcp_"))}
    counted = {name: count for name, count in changed.items() if count and "datagrams" not in name}
    return {"attack": attack.__name__, "memory_mb": round(max(peak), 1), "processor_s": round(spent, 2),
            "longest_wait_ms": round(max(waits)), "removed_silent": lost, "counted": counted, "wrong": wrong}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--short", action="store_true", help="a tenth of each attack, beside 20 elements")
    options.add_argument("--limit-ms", type=float, default=500)
    options.add_argument("--only", action="append", choices=[attack.__name__ for attack in ATTACKS])
    options.add_argument("--json", action="store_true")
    options.add_argument("--program", default=os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release/rserpool"))
    options = options.parse_args()
    if not sys.platform.startswith("linux") or not os.path.exists(options.program):
        print(f"siege: needs Linux and {options.program}", file=sys.stderr)
        return 2
    share = 0.1 if options.short else 1.0
    registrar = Registrar(options.program, 20 if options.short else 100)
    results = []
    try:
        for attack in ATTACKS:
            if options.only and attack.__name__ not in options.only:
                continue
            result = besiege(registrar, attack, share, options.limit_ms)
            results.append(result)
            if not options.json:
                print(f"{result['attack']:13} {result['memory_mb']:6.1f} MB {result['processor_s']:6.2f} s of processor, "
                      f"honest wait {result['longest_wait_ms']:4} ms  {'; '.join(result['wrong']) or 'held'}", flush=True)
    finally:
        registrar.end()
    if options.json:
        print(json.dumps(results, indent=2))
    return int(any(result["wrong"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
