"""An SCTP peer by hand over UDP (RFC 9260, RFC 6951), and the few ASAP messages that the siege needs (RFC 5352).

It does what it is told and not what the RFC says: that is its use. Standard library only."""

import random
import select
import socket
import struct
import time

ASAP, ENRP, MANAGEMENT = 11, 12, 0x52530001
ASAP_PORT, ENRP_PORT = 3863, 9901
DATA, INIT, INIT_ACK, SACK, HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN = range(8)
COOKIE_ECHO, COOKIE_ACK = 10, 11
BEGIN, END, WHOLE = 2, 1, 3

_TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = (_n >> 1) ^ (0x82F63B78 if _n & 1 else 0)
    _TABLE.append(_n)


def checksum(octets):
    """CRC32c (RFC 3720 appendix B.4)."""
    crc = 0xFFFFFFFF
    for octet in octets:
        crc = _TABLE[(crc ^ octet) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def chunk(kind, flags=0, body=b""):
    whole = struct.pack("!BBH", kind, flags, 4 + len(body)) + body
    return whole + bytes(-len(whole) % 4)


def packet(source, destination, tag, *chunks):
    whole = struct.pack("!HHII", source, destination, tag, 0) + b"".join(chunks)
    return whole[:8] + struct.pack("<I", checksum(whole)) + whole[12:]


def init(tag, window=1 << 20, tsn=1, parameters=b""):
    return chunk(INIT, 0, struct.pack("!IIHHI", tag, window, 256, 256, tsn) + parameters)


def data(tsn, payload, protocol=ASAP, stream=0, sequence=0, flags=WHOLE):
    fields = struct.pack("!IHHI", tsn & 0xFFFFFFFF, stream, sequence & 0xFFFF, protocol)
    return chunk(DATA, flags, fields + payload)


def sack(cumulative, window=1 << 20, blocks=()):
    body = struct.pack("!IIHH", cumulative & 0xFFFFFFFF, window, len(blocks), 0)
    return chunk(SACK, 0, body + b"".join(struct.pack("!HH", *block) for block in blocks))


def chunks_of(octets):
    """The ports, the tag and the chunks of a packet, which are triples of type, flags and body."""
    source, destination, tag, _ = struct.unpack_from("!HHII", octets)
    found, at = [], 12
    while at + 4 <= len(octets):
        kind, flags, length = struct.unpack_from("!BBH", octets, at)
        if length < 4:
            break
        found.append((kind, flags, octets[at + 4:at + length]))
        at += (length + 3) & ~3
    return source, destination, tag, found


def cookie_of(body):
    """The state cookie in the body of an INIT ACK."""
    at = 16
    while at + 4 <= len(body):
        kind, length = struct.unpack_from("!HH", body, at)
        if kind == 7:
            return body[at + 4:at + length]
        at += max(4, (length + 3) & ~3)
    raise Gone("an INIT ACK without a cookie")


class Gone(Exception):
    """There is no association, or no longer."""


class Peer:
    """One association with the target, from an address of its own."""

    def __init__(self, target, address="127.0.0.1", window=1 << 20, port=ASAP_PORT, acknowledges=True):
        self.target, self.port, self.window, self.acknowledges = target, port, window, acknowledges
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((address, 0))
        self.own_port, self.own_tag = random.randrange(20000, 60000), random.randrange(1, 1 << 32)
        self.tsn, self.sequence = random.randrange(1, 1 << 31), 0
        self.tag = self.cumulative = 0
        self.their_cumulative, self.messages, self.parts, self.ended = self.tsn - 1, [], {}, None
        self.partial = b""

    def put(self, *chunks, tag=None):
        whole = packet(self.own_port, self.port, self.tag if tag is None else tag, *chunks)
        self.socket.sendto(whole, self.target)

    def connect(self, patience=5.0):
        begin = time.monotonic()
        end, again = begin + patience, begin
        while time.monotonic() < end:
            if time.monotonic() >= again:
                self.put(init(self.own_tag, self.window, self.tsn), tag=0)
                again = time.monotonic() + 1
            for kind, _, body in self.receive(min(end, again) - time.monotonic()):
                if kind == INIT_ACK:
                    self.tag, first = struct.unpack_from("!I", body)[0], struct.unpack_from("!I", body, 12)[0]
                    self.cumulative = (first - 1) & 0xFFFFFFFF
                    self.put(chunk(COOKIE_ECHO, 0, cookie_of(body)))
                elif kind == COOKIE_ACK:
                    return self
                elif kind == ABORT:
                    raise Gone("refused")
        raise Gone("no answer to the handshake")

    def receive(self, patience=0.0):
        """The chunks of the next packet, after what has to be done about them has been done."""
        if not select.select([self.socket], [], [], max(0.0, patience))[0]:
            return []
        try:
            _, _, tag, found = chunks_of(self.socket.recv(65535))
        except (OSError, struct.error):
            return []
        if tag != self.own_tag and not any(kind == ABORT for kind, _, _ in found):
            return []
        answers, any_data = [], False
        for kind, flags, body in found:
            if kind == DATA:
                any_data = True
                tsn, _, _, protocol = struct.unpack_from("!IHHI", body)
                if 0 < (tsn - self.cumulative) & 0xFFFFFFFF < 1 << 31:
                    self.parts[tsn] = (flags, protocol, body[12:])
                self.assemble()
            elif kind == SACK:
                self.their_cumulative = struct.unpack_from("!I", body)[0]
            elif kind == HEARTBEAT:
                answers.append(chunk(HEARTBEAT_ACK, 0, body))
            elif kind == ABORT:
                self.ended = body
        if any_data and self.acknowledges:
            answers.append(sack(self.cumulative, self.window))
        if answers:
            self.put(*answers)
        return found

    def assemble(self):
        while (self.cumulative + 1) & 0xFFFFFFFF in self.parts:
            self.cumulative = (self.cumulative + 1) & 0xFFFFFFFF
            flags, protocol, body = self.parts.pop(self.cumulative)
            self.partial = (b"" if flags & BEGIN else self.partial) + body
            if flags & END:
                self.messages.append((protocol, self.partial))

    def say(self, *messages, protocol=ASAP):
        """Sends messages, as many in a datagram as fit."""
        waiting, size = [], 0
        for message in messages:
            waiting.append(data(self.tsn, message, protocol, 0, self.sequence))
            self.tsn, self.sequence, size = self.tsn + 1, self.sequence + 1, size + len(waiting[-1])
            if size > 50_000:
                self.put(*waiting)
                waiting, size = [], 0
        if waiting:
            self.put(*waiting)

    def ask(self, message, protocol=ASAP, patience=5.0):
        """Sends a message, and waits for one that comes back."""
        before, end = len(self.messages), time.monotonic() + patience
        self.say(message, protocol=protocol)
        while len(self.messages) == before:
            left = end - time.monotonic()
            if left <= 0:
                raise Gone("no answer")
            self.receive(left)
            if self.ended is not None:
                raise Gone("aborted")
        return self.messages.pop()[1]

    def settle(self, patience=2.0):
        """Waits until everything that was sent has been acknowledged, or the association has ended."""
        end, last = time.monotonic() + patience, (self.tsn - 1) & 0xFFFFFFFF
        while self.their_cumulative != last and self.ended is None and time.monotonic() < end:
            self.receive(end - time.monotonic())
        return self.ended is None

    def close(self):
        self.put(chunk(ABORT))
        self.socket.close()


def parameter(kind, value):
    whole = struct.pack("!HH", kind, 4 + len(value)) + value
    return whole + bytes(-len(whole) % 4)


def message(kind, body):
    return struct.pack("!BBH", kind, 0, 4 + len(body)) + body


def resolution(pool, items=None):
    wanted = b"" if items is None else parameter(0x803F, struct.pack("!I", items))
    return message(5, parameter(9, pool.encode()) + wanted)


def registration(pool, identifier, address="127.0.0.1", addresses=1):
    return message(1, parameter(9, pool.encode()) + element(identifier, 0, address, addresses))


def element(identifier, home, address="127.0.0.1", addresses=1):
    """A Pool Element parameter."""
    transport = parameter(4, struct.pack("!HH", 7, 0) + parameter(1, socket.inet_aton(address)) * addresses)
    fields = struct.pack("!III", identifier, home, 300) + transport + parameter(8, struct.pack("!I", 1))
    return parameter(10, fields + (transport if home else b""))


def enrp(kind, sender, body=b"", flags=0):
    """An ENRP message to whoever receives it (RFC 5353 section 2)."""
    return struct.pack("!BBHII", kind, flags, 12 + len(body), sender, 0) + body


def server(identifier, address, udp_port, port=ENRP_PORT):
    """A Server Information parameter, with the UDP port as our registrars tell it."""
    transport = parameter(4, struct.pack("!HH", port, 0) + parameter(1, socket.inet_aton(address)))
    ports = parameter(0xA6AB, struct.pack("!HH", udp_port, 0))
    return parameter(11, struct.pack("!I", identifier) + transport + ports)
