#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets in fuzz/corpus from the vectors, and the dictionaries in
fuzz/dictionaries. What a fuzzer found (regression-...) is left alone.

usage: python3 conformance/generator/seeds.py
"""

from pathlib import Path

import codec
from catalogue import ASAP4, POOL, everything, enrp, pe, pr
from codec import u16
from generate import rsplib

FUZZ = Path(__file__).parent.parent.parent / "fuzz"


def write(target, seeds):
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("seed-*"):
        old.unlink()
    for name, octets in seeds.items():
        (folder / f"seed-{name}").write_bytes(octets)
    print(f"{len(seeds):5} {target}")


def messages(vectors, protocol):
    """Each meaning once; the rest of the vectors varies what these show."""
    chosen = {}
    for v in vectors:
        if v.get("protocol") == protocol and len(v["hex"]) < 3000:
            key = (v["expect"], v["message"]["type"] if "message" in v else v["name"].split("-")[0], len(v["hex"]) // 16)
            chosen.setdefault(key, v)
    return {f"{v['file']}-{v['name']}": bytes.fromhex(v["hex"]) for v in chosen.values()}


# Steps of conformance/src/fuzzing/world.rs.
def connect(port, place):
    return bytes([0, port, place])


def accept(which=0):
    return bytes([2, which])


def refuse(which=0, reason=0):
    return bytes([4, reason, which])


def disconnect(which, reason=2):
    return bytes([5, reason, which])


def message(which, octets):
    is_enrp = isinstance(octets, tuple)
    octets = octets[0] if is_enrp else octets
    return bytes([7 if is_enrp else 6, which]) + u16(len(octets)) + octets


def data(which, octets):
    return bytes([12, which, 1]) + u16(len(octets)) + octets


def announce(octets):
    is_enrp = isinstance(octets, tuple)
    octets = octets[0] if is_enrp else octets
    return bytes([13, 1, 0]) + u16(len(octets)) + octets + bytes([int(is_enrp)])


def wait(milliseconds):
    return bytes([14]) + u16(milliseconds)


NEXT = bytes([15])


def command(*octets):
    return bytes([17, *octets])


POOLED = b"pool".hex()


def say(kind, **more):
    """An ASAP message."""
    flags = {key: False for _, key in codec.FLAGS.get("ASAP_" + kind, [])}
    return codec.encode({"type": "ASAP_" + kind} | flags | more)


def tell(kind, **more):
    """An ENRP message from registrar 1 to us, registrar 3."""
    return (codec.encode(enrp(kind, **({"sender": 1, "receiver": 3} | more))),)


def registration(number=1, **more):
    return say("REGISTRATION", handle=POOLED, element=pe(number, **more))


def registrar_seeds(vectors):
    alone, mentored, small = b"\x01\x00", b"\x01\x02", b"\x81\x00"
    ack = say("ENDPOINT_KEEP_ALIVE_ACK", handle=POOLED, id=1)
    question = say("HANDLE_RESOLUTION", handle=POOLED)
    report = say("ENDPOINT_UNREACHABLE", handle=POOLED, id=1)
    member = pe(2, home=1, asap_transport=ASAP4)
    here = tell("PRESENCE", checksum=0xFFFF, server=pr(1))
    other = tell("PRESENCE", sender=2, checksum=0x1234, server=pr(2))
    peer = connect(1, 1) + message(0, here)
    seeds = {
        "registration": alone + connect(0, 0) + message(0, registration()) + NEXT * 3 + message(0, ack) + NEXT * 4
        + message(0, say("DEREGISTRATION", handle=POOLED, id=1)),
        "resolution": alone + connect(0, 0) + message(0, registration()) + connect(0, 1) + message(1, question) * 3,
        "silence": alone + connect(0, 0) + message(0, registration(life=5)) + NEXT * 8,
        "reports": alone + connect(0, 0) + message(0, registration()) + b"".join(
            connect(0, i) + message(i, report) for i in range(1, 6)),
        "reconnect": alone + connect(0, 0) + message(0, registration()) + disconnect(0) + accept() + message(0, ack)
        + NEXT * 3,
        "unreachable": alone + connect(0, 0) + message(0, registration()) + disconnect(0) + refuse() + NEXT,
        "contested": alone + connect(0, 0) + message(0, registration()) + connect(0, 1) + message(1, registration())
        + NEXT * 2,
        "limits": small + connect(0, 0) + b"".join(message(0, registration(i)) for i in range(1, 7)),
        "expire": b"\x00\x00" + connect(0, 0) + message(0, registration(life=1)) + wait(2000) + NEXT * 2,
        "peer": alone + peer + NEXT * 3 + message(0, tell("HANDLE_TABLE_REQUEST")) + message(0, tell("LIST_REQUEST")),
        "update": alone + peer + message(0, tell("HANDLE_UPDATE", action=0, handle=POOLED, element=member))
        + message(0, tell("HANDLE_UPDATE", action=1, handle=POOLED, element=member)),
        "audit": alone + peer + message(0, tell("PRESENCE", checksum=7)) + message(
            0, tell("HANDLE_TABLE_RESPONSE", more=True, pools=[{"handle": POOLED, "elements": [member]}]))
        + message(0, tell("HANDLE_TABLE_RESPONSE", pools=[{"handle": POOLED, "elements": [pe(3, home=1)]}])) + NEXT * 3,
        "takeover": alone + peer + connect(1, 2) + message(1, other) + message(
            0, tell("HANDLE_UPDATE", action=0, handle=POOLED, element=member)) + disconnect(0) + NEXT * 4
        + message(0, tell("INIT_TAKEOVER_ACK", sender=2, target=1)) + NEXT * 4 + accept() + NEXT * 4,
        "takeover-by-other": alone + peer + connect(1, 2) + message(1, other)
        + message(1, tell("INIT_TAKEOVER", sender=2, target=1)) + message(1, tell("TAKEOVER_SERVER", sender=2, target=1)),
        "takeover-of-us": alone + peer + message(0, tell("INIT_TAKEOVER", target=3)) + NEXT,
        "dead-peer": alone + peer + NEXT * 12,
        "join": mentored + accept() + message(0, tell("PRESENCE", checksum=7, server=pr(1)))
        + message(0, tell("LIST_RESPONSE", servers=[pr(2), pr(4)])) + message(
            0, tell("HANDLE_TABLE_RESPONSE", pools=[{"handle": POOLED, "elements": [member]}])) + NEXT * 4,
        "join-refused": mentored + accept() + message(0, here) + message(0, tell("LIST_RESPONSE", rejected=True))
        + NEXT * 3 + message(0, tell("HANDLE_TABLE_RESPONSE", rejected=True)) + NEXT * 3,
        "join-alone": mentored + refuse() * 2 + NEXT * 5,
        "namesake": alone + connect(1, 1) + message(0, tell("PRESENCE", sender=3, checksum=7)) + NEXT * 3,
        "suggested": alone + peer + message(
            0, tell("HANDLE_UPDATE", action=0, takeover_suggested=True, handle=POOLED, element=member)) + NEXT,
        "announced": b"\x07\x00" + announce(here) + accept() + NEXT * 5,
        "commands": alone + command(0) + command(1) + command(2) + bytes([12, 0, 2]),
    }
    # The vectors themselves, ten at a time, over an association of their protocol.
    for protocol, port in (("ASAP", 0), ("ENRP", 1)):
        all_ = list(messages(vectors, protocol).values())
        for at in range(0, len(all_), 10):
            steps = [message(0, (v,) if protocol == "ENRP" else v) for v in all_[at:at + 10]]
            seeds[f"vectors-{protocol.lower()}-{at // 10}"] = alone + connect(port, 0) + b"".join(steps)
    return seeds


def element_seeds(vectors):
    start = b"\x05\x03" + accept()
    granted = message(0, say("REGISTRATION_RESPONSE", handle=POOLED, id=1))
    alive = {"registrar": 1, "handle": POOLED}
    seeds = {
        "registered": start + granted + NEXT * 3 + command(0),
        "refused": start + message(0, say("REGISTRATION_RESPONSE", rejected=True, handle=POOLED, id=1,
                                          error=[{"code": 6, "information": ""}])) + command(0, 1),
        "unanswered": start + NEXT * 10,
        "keep-alive": start + granted + message(0, say("ENDPOINT_KEEP_ALIVE", **alive)),
        "new-home": start + granted + connect(0, 5) + message(1, say("ENDPOINT_KEEP_ALIVE", **alive | {"home": True})),
        "removed": start + granted + message(0, say("DEREGISTRATION_RESPONSE", handle=POOLED, id=1)),
        "lost": start + granted + disconnect(0) + accept() + granted,
        "hunt": b"\x05\x05" + refuse() * 3 + NEXT * 6 + accept(),
        "announced": b"\x05\x00" + announce(say("SERVER_ANNOUNCE", registrar=1, transports=[])) + accept() + granted,
        "session": start + granted + connect(0, 4) + data(1, b"hello") + command(2, 5, 0, 0, 2, 104, 105) + command(2, 4),
        "restored": start + granted + connect(0, 4) + message(1, say("COOKIE_ECHO", cookie="00ff")) + data(1, b"hello")
        + command(2, 8, 0, 2, 1, 2) + message(1, say("COOKIE_ECHO", cookie="")),
        "card": start + granted + connect(0, 4) + message(1, say("BUSINESS_CARD", handle=POOLED, elements=[pe(2)])) + data(1, b"x"),
        "called": start + granted + connect(0, 4) + b"".join(bytes([12, 3, 1, kind]) + u16(1) + b"x" for kind in range(2, 9)),
        "leave": start + granted + command(0, 0) + message(0, say("DEREGISTRATION_RESPONSE", handle=POOLED, id=1)),
    }
    all_ = list(messages(vectors, "ASAP").values())
    for at in range(0, len(all_), 10):
        seeds[f"vectors-{at // 10}"] = start + granted + b"".join(message(0, v) for v in all_[at:at + 10])
    return seeds


def user_seeds(vectors):
    start = b"\x05\x03"
    resolve, open_ = command(0, 0, 0, 0, 1, 0, 0, 0), command(0, 0, 0, 2)
    elements = [pe(1, home=1, user={"kind": "SCTP", "port": 7, "use": 1, "addresses": ["10.0.0.5"]}),
                pe(2, home=1, user={"kind": "SCTP", "port": 8, "use": 1, "addresses": ["10.0.0.4"]})]
    listed = message(0, say("HANDLE_RESOLUTION_RESPONSE", handle=POOLED, policy={"type": 1}, elements=elements))
    none = message(0, say("HANDLE_RESOLUTION_RESPONSE", handle=POOLED, elements=[], error=[{"code": 9, "information": ""}]))
    ask = command(0, 0, 1, 10, 1, 9) + u16(2) + b"hi"
    kept = message(1, say("COOKIE", cookie="00ff")) + message(2, say("COOKIE", cookie=""))
    card = message(1, say("BUSINESS_CARD", handle=POOLED, elements=elements[::-1]))
    call, once = (command(0, 1, 1, 13) + u16(2) + b"hi" + bytes([kind]) for kind in (0, 2))
    answer = lambda kind: bytes([12, 3, 1, kind]) + u16(2) + b"ok"
    seeds = {
        "resolve": start + resolve + accept() + listed + resolve,
        "unknown": start + resolve + accept() + none,
        "unanswered": start + resolve + accept() + NEXT * 8,
        "open": start + open_ + accept() + listed + accept() + data(1, b"hello"),
        "failover": start + open_ + accept() + listed + accept() + ask + disconnect(1) + accept() + NEXT * 3,
        "silent": start + open_ + accept() + listed + accept() + ask + NEXT * 6 + accept(),
        "close": start + open_ + accept() + listed + accept() + command(0, 0, 0, 8),
        "forced": start + open_ + accept() + listed + accept() + command(0, 0, 0, 6) + accept(),
        "report": start + resolve + accept() + listed + command(0, 0, 0, 7, 1),
        "hunt": b"\x05\x05" + resolve + refuse() * 4 + NEXT * 6 + accept(),
        "lost": start + open_ + accept() + disconnect(0) + NEXT * 3 + accept() + listed,
        "congested": start + open_ + accept() + listed + accept() + bytes([19, 1, 0]) + ask + bytes([19, 1, 1]),
        "cookie": start + open_ + accept() + listed + accept() + kept + disconnect(1) + accept() + kept + disconnect(2) + accept(),
        "card": start + open_ + accept() + listed + accept() + card + disconnect(1) + accept() + NEXT,
        "call": start + open_ + accept() + listed + accept() + call + answer(0) + call + disconnect(1) + accept() + answer(0) * 2,
        "call-once": start + open_ + accept() + listed + accept() + once + disconnect(1) + accept() + answer(1),
        "announced": b"\x05\x00" + resolve + announce(say("SERVER_ANNOUNCE", registrar=1, transports=[])) + NEXT + accept(),
    }
    all_ = list(messages(vectors, "ASAP").values())
    for at in range(0, len(all_), 10):
        seeds[f"vectors-{at // 10}"] = start + resolve + accept() + b"".join(message(0, v) for v in all_[at:at + 10])
    return seeds


def sctp_seeds():
    """Steps of conformance/src/fuzzing/sctp.rs, each by one of the two ends."""
    def do(end, *octets):
        return bytes([end, *octets])
    def forge(end, chunk):
        return do(end, 7) + u16(len(chunk)) + chunk
    def chunk(kind, value=b"", flags=0):
        return bytes([kind, flags]) + u16(4 + len(value)) + codec.padded(value)
    flow = b"".join(do(end, 1) for end in (0, 1)) * 3
    up = do(0, 0, 1) + flow
    send = lambda end, size: do(end, 10, 0, 4) + u16(size)
    seeds = {
        "handshake": up, "collision": do(0, 0, 1) + do(1, 0, 1) + flow, "ephemeral": do(0, 0, 0) + flow,
        "data": up + send(0, 10) + flow + send(1, 3000) + flow, "abort": up + do(0, 10, 0, 0) + flow,
        "shutdown": up + do(0, 10, 0, 1) + flow, "both-shut-down": up + do(0, 10, 0, 1) + do(1, 10, 0, 1) + flow,
        "silence": up + do(0, 11, 7, 207) * 8, "lost": up + send(0, 4000) + do(0, 4, 0) * 2 + do(0, 11, 4, 0) + flow,
        "reordered": up + send(0, 9000) + do(0, 4, 2) * 3 + flow, "repeated": up + send(0, 100) + do(0, 4, 1) + flow,
        "changed": up + send(0, 100) + do(0, 5, 0, 4, 9) + flow, "four": (do(0, 0, 0) + flow) * 5,
        "nonsense": do(0, 9, 0, 4, 1, 2, 3, 4), "restart": up + do(0, 10, 0, 0) + do(0, 4, 0) + do(0, 0, 1) + flow,
    }
    kinds = {"init": (1, bytes(12) + u16(1) * 2 + bytes(4)), "init-ack": (2, bytes(16)), "sack": (3, bytes(12)),
             "heartbeat": (4, b"\0\1\0\4"), "heartbeat-ack": (5, b"\0\1\0\4"), "abort": (6, b""), "shutdown": (7, bytes(4)),
             "shutdown-ack": (8, b""), "error": (9, b"\0\1\0\4"), "cookie-echo": (10, bytes(40)), "cookie-ack": (11, b""),
             "shutdown-complete": (14, b""), "data": (0, bytes(12) + b"xyz"), "unknown-stop": (0x3F, b""),
             "unknown-report": (0xFF, b"??"), "forward-tsn": (0xC0, bytes(4)), "reconfig": (0x82, bytes(12)),
             "asconf": (0xC1, bytes(4)), "auth": (0x0F, bytes(4))}
    for name, (kind, value) in kinds.items():
        seeds["forged-" + name] = up + send(0, 10) + forge(0, chunk(kind, value, 3 if kind == 0 else 0)) + flow
    return seeds


def tcp_seeds(vectors):
    """Steps of conformance/src/fuzzing/tcp.rs. The last octet of a step that concerns a connection says
    which one; each message that is told takes one octet, by which its answer is long or short."""
    def accept(host=0, port=1000):
        return bytes([0, host]) + u16(port)
    def connect(addresses, port=1, deadline=1000):
        return bytes([1, addresses]) + u16(port) + u16(deadline)
    def cancel(request):
        return bytes([2, request - 1])
    def opened(which=0):
        return bytes([3, 0, 0, which])
    def failed(which=0, reason=0):
        return bytes([3, 1, reason, which])
    def receive(octets, which=0):
        return bytes([4, 0]) + u16(len(octets)) + octets + bytes([which])
    def length(octets, low, which=0):
        return bytes([4, 1]) + u16(len(octets)) + octets + bytes([low, which])
    def written(octets, which=0):
        return bytes([7]) + u16(octets - 1) + bytes([which])
    def lost(which=0):
        return bytes([8, 0, which])
    def ended(which=0):
        return bytes([8, 1, which])
    def send(octets, which=0):
        return bytes([9, which]) + u16(0) + bytes([2]) + u16(octets - 1)
    def shut(which=0, deadline=500):
        return bytes([9, which]) + u16(deadline) + bytes([1])
    def drop(which=0):
        return bytes([9, which]) + u16(0) + bytes([0])
    def wait(centiseconds):
        return bytes([10]) + u16(centiseconds)
    question = say("HANDLE_RESOLUTION", handle=POOLED)
    short, long = b"\0", b"\xff"
    asked = accept() + receive(question) + short
    up = connect(1) + opened()
    halves = lambda at: accept() + receive(question[:at]) + receive(question[at:]) + short
    all_ = [bytes.fromhex(v["hex"]) for v in vectors if v.get("protocol") == "ASAP" and len(v["hex"]) < 3000]
    seeds = {
        "question": asked + written(4) + ended(), "answer-waits": asked + ended() + written(4), "lost": asked + lost(),
        "two-in-one": accept() + receive(question * 2) + short * 2, "cut-in-length": halves(3), "cut-in-handle": halves(9),
        "octet-by-octet": accept() + b"".join(receive(bytes([octet])) for octet in question) + short,
        "slow": asked + receive(question[:5]) + wait(999) + receive(question[5:6]) + NEXT_DEADLINE,
        "never-asks": accept() + NEXT_DEADLINE, "idle": asked + written(4) + NEXT_DEADLINE, "deaf": asked + NEXT_DEADLINE,
        "length-0": accept() + length(question, 0), "length-3": accept() + length(question, 3),
        "length-13": accept() + length(question, 13) + short, "too-long": accept() + receive(b"\5\0\xff\xff"),
        "longest": accept() + receive(b"\5\0\x10\0" + bytes(4092)) + short,
        "flood": accept() + receive(question * 60) + long * 60 + written(60_000) + long * 10 + written(60_000),
        "full": b"".join(accept(i % 3, i) for i in range(8)) + lost() + accept(1, 99),
        "one-host": accept() * 4 + lost() + accept(), "opened": up + send(16) + receive(question) + shut(),
        "closed": up + send(16) + shut() + written(16) + ended(), "no-answer": up + shut() + NEXT_DEADLINE,
        "dropped": up + send(60_000) + drop(), "queue-full": up + send(65_536) * 5,
        "refused": connect(1) + failed(), "addresses": connect(4) + wait(25) + wait(25) + opened(2) + opened(0),
        "next-address": connect(3) + failed(0, 0) + failed(0, 1) + opened(), "late": connect(2) + NEXT_DEADLINE * 3 + opened(),
        "cancelled": connect(2) + cancel(1) + opened(), "nowhere": connect(0) + connect(1, 0), "paused": accept()
        + receive(question * 3) + long * 3 + send(65_000) + receive(question) + ended() + written(65_000) + written(9_000),
    }
    for at in range(0, len(all_), 30):
        seeds[f"vectors-{at // 30}"] = accept() + receive(b"".join(codec.padded(v) for v in all_[at:at + 30])) + short * 30
    return seeds


NEXT_DEADLINE = bytes([11])


def services_seeds():
    """Steps of conformance/src/fuzzing/services.rs: each begins with the service, or the user."""
    octets = lambda content: u16(len(content)) + content
    first = lambda cookie=b"", session=0: bytes([4, session]) + octets(cookie)
    step = lambda kind, session=0: bytes([kind, session])
    room, wanted, closed = step(1), step(2), step(3)
    def receive(protocol, kind, content, session=0):
        return bytes([4, session, protocol, kind]) + octets(content)
    number = lambda n: bytes(7) + bytes([n])
    ping, pong = (lambda n: receive(1, 1, number(n) + b"x")), (lambda n: number(n) + number(n + 1))
    job = lambda size, done=0: bytes([0, 0, 0, 1]) + size.to_bytes(8, "big") + done.to_bytes(8, "big")
    work = lambda kind, size=1_000_000, done=0: receive(2, kind, job(size, done))
    hear = lambda protocol, kind, content: bytes([4, protocol, kind]) + octets(content)
    time, moved, lost = b"\0\x0f\xa0", bytes([1, 2, 0]), bytes([2, 0])
    pings, calc = bytes([6, 0, 99, 1]), bytes([7])
    cookie = b"<PP-TD1>" + number(41)
    return {
        "echo": b"\0" + first() + receive(0, 0x80, b"hello") + closed, "discard": b"\1" + first() + receive(0, 0x80, b"x"),
        "daytime": b"\2" + first() + closed, "chargen": b"\3" + first() + room * 3 + closed, "chargen-two": b"\3"
        + first() + first(session=1) + room + step(3, 1), "ping": b"\4" + first() + ping(1) + ping(2) + wanted + closed,
        "ping-restored": b"\4" + first(cookie) + ping(1), "ping-forged": b"\4" + first(b"<PP-TD1>" + b"\xff" * 8) + ping(1) * 2,
        "ping-short": b"\4" + first(cookie[:-1]) + receive(1, 1, b""), "ping-strange": b"\4" + first() + receive(2, 1, b"x"),
        "job": b"\5" + first() + work(1) + time + work(6) + time * 2, "job-restored": b"\5" + first(job(9_000_000, 5_000_000))
        + work(1, 9_000_000) + time + wanted, "job-done-before": b"\5" + first(job(5, 7)) + time, "job-abort": b"\5" + first()
        + work(1) + work(4), "job-endless": b"\5" + first() + work(1, 2**64 - 1) + time * 3 + closed, "jobs": b"\5" + first()
        + b"".join(receive(2, 1, bytes([0, 0, 0, n]) + job(10**7)[4:]) for n in range(12)) + time, "job-none": b"\5" + first()
        + work(1, 0) + time, "job-wanted": b"\5" + first() + wanted, "pings": pings + hear(1, 2, pong(0)) + time + lost,
        "pings-moved": pings + hear(1, 2, pong(0)) + moved + time + hear(1, 2, pong(1)) * 2, "pings-back": pings
        + hear(1, 2, number(0) + number(9)) + time + hear(1, 2, number(1) + number(3)), "jobs-done": calc + hear(2, 2, job(10**6))
        + time + hear(2, 5, job(10**6, 10**6)), "jobs-refused": calc + hear(2, 3, job(10**6)) + moved + hear(2, 2, job(10**6)),
        "jobs-silent": calc + hear(2, 2, job(10**6)) + time * 3 + moved + time, "jobs-asked": calc + hear(2, 6, job(10**6)),
    }


CONFIGS = {
    "registrar": 'preset = "fast"\nbind = "192.0.2.1:9899"\nid = "0x1"\nkeep-alive-interval = "500ms"\nmax-elements = 50000\n'
                 '\n[sctp]\nmax-silence = "2s"\n\n[log]\nformat = "json"\n',
    "element": 'pool = "EchoPool"\npolicy = "LeastUsed"\nlife = "30s"\nregistrars = ["192.0.2.1:9899"]\n[hunt]\ntimeout = "1s"\n',
    "user": 'preset = "rfc"\nregistrars = ["[2001:db8::1]:9899", "192.0.2.1"]\nanswer-deadline = "10s"\n',
    "empty": "", "unknown-key": "presett = 1\n", "wrong-type": "id = [1]\n", "zero": "id = 0\n",
    "unclosed": 'bind = "', "number": "max-elements = 99999999999999999999\n", "negative": "max-pools = -1\n",
    "list": 'address = ["127.0.0.1", "::1"]\n', "table-twice": "[sctp]\n[sctp]\n", "nested": "[sctp.rto]\nmin = 1\n",
    "sctp": '[sctp]\nstreams = 3\nrto-min = "1s"\nrto-max = "1ms"\n', "unicode": 'pool = "\\u0000\\uffff"\n',
    "tcp": '[tcp]\nlisten = "192.0.2.1:3863"\nidle-timeout = "1m"\n', "tcp-off": '[tcp]\nlisten = false\nmax-connections = 0\n',
    "tcp-user": 'registrar = ["tcp:registrar.example.net", "tcp:[::1]:1", "192.0.2.1"]\n',
    "peers": 'peer = ["192.0.2.1:9899", "[::1]:1"]\nannounce = "yes"\n',
}
KEYS = """preset bind id address asap-port enrp-port keep-alive-interval keep-alive-timeout max-bad-pe-reports
name-element-in-keep-alive resolution-items max-resolution-items handle-table-octets subscription-interval announce announce-group
announce-interval management max-pools max-elements-per-pool max-elements padding sctp tcp listen log hunt streams rto-min rto-max
rto-initial heartbeat max-silence format filter registrar pool policy life peer timeout timeout-max rounds outdate
rfc fast strict padded json text yes no 500ms 1s 2m 0x1""".split()


def dictionary(name, words):
    folder = FUZZ / "dictionaries"
    folder.mkdir(exist_ok=True)
    lines = ['"' + "".join(f"\\x{octet:02x}" for octet in word) + '"' for word in dict.fromkeys(words)]
    (folder / f"{name}.dict").write_text("\n".join(lines) + "\n")


def main():
    vectors = everything() + list(rsplib())
    write("decode_asap", messages(vectors, "ASAP"))
    write("decode_enrp", messages(vectors, "ENRP"))
    # Any octets make messages; these make many different ones.
    write("round_trip", {f"{i:02}": bytes((i * 37 + j * (2 * i + 1)) % 256 for j in range(16 * i)) for i in range(1, 25)})
    write("registrar", registrar_seeds(vectors))
    write("element", element_seeds(vectors))
    write("user", user_seeds(vectors))
    write("services", services_seeds())
    write("sctp", sctp_seeds())
    write("tcp", tcp_seeds(vectors))
    write("config_file", {name: text.encode() for name, text in CONFIGS.items()})

    types = [u16(code) for code in [*range(1, 0x11), 0x803F, 0xA6AB, 0x4123, 0x8123, 0xC123]]
    lengths = [u16(length) for length in (4, 5, 6, 8, 12, 16, 20, 24)]
    parameters = [codec.handle(POOL), codec.handle(POOLED), codec.policy({"type": 1}), codec.identifier(1),
                  codec.element(pe(1)), codec.server(pr(1)), codec.error([{"code": 9, "information": ""}]),
                  codec.address("10.0.0.1"), codec.transport(ASAP4), codec.checksum(0xFFFF), codec.items(3),
                  codec.ports({"user": 9899, "asap": 0}), codec.cookie("00")]
    policies = [codec.u32(kind) for kind in codec.POLICIES]
    for protocol, table in (("asap", codec.ASAP), ("enrp", codec.ENRP)):
        headers = [bytes([kind, flag, 0]) for kind in table for flag in (0, 1)]
        dictionary(protocol, headers + types + lengths + parameters + policies)
    steps = [connect(0, 0), connect(1, 0), accept(), refuse(), disconnect(0), NEXT, wait(500), command(0)]
    whole = [message(0, registration()), message(0, say("ENDPOINT_KEEP_ALIVE_ACK", handle=POOLED, id=1)),
             message(0, tell("PRESENCE", checksum=0xFFFF)), message(0, tell("INIT_TAKEOVER", target=1)),
             message(0, say("REGISTRATION_RESPONSE", handle=POOLED, id=1))]
    dictionary("events", steps + whole + parameters)
    dictionary("sctp", [bytes([kind, flags]) + u16(length) for kind, flags, length in
                        [(0, 3, 20), (1, 0, 20), (2, 0, 20), (3, 0, 16), (4, 0, 8), (5, 0, 8), (6, 0, 4), (7, 0, 8),
                         (8, 0, 4), (9, 0, 8), (10, 0, 44), (11, 0, 4), (14, 0, 4), (14, 1, 4)]])
    dictionary("config", [word.encode() for word in KEYS])


if __name__ == "__main__":
    main()
