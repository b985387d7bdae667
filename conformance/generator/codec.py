"""ASAP, ENRP and their parameters, written from RFC 5352 to 5354 and READINGS.md alone.

Nothing of the Rust code is used or translated here: the vectors are a check of that code only as
long as they come from elsewhere. Messages are dictionaries with the keys that vectors/README.md
lists; addresses are strings, octets are hexadecimal strings.
"""

import ipaddress
import struct

ASAP = {
    0x01: "ASAP_REGISTRATION",
    0x02: "ASAP_DEREGISTRATION",
    0x03: "ASAP_REGISTRATION_RESPONSE",
    0x04: "ASAP_DEREGISTRATION_RESPONSE",
    0x05: "ASAP_HANDLE_RESOLUTION",
    0x06: "ASAP_HANDLE_RESOLUTION_RESPONSE",
    0x07: "ASAP_ENDPOINT_KEEP_ALIVE",
    0x08: "ASAP_ENDPOINT_KEEP_ALIVE_ACK",
    0x09: "ASAP_ENDPOINT_UNREACHABLE",
    0x0A: "ASAP_SERVER_ANNOUNCE",
    0x0B: "ASAP_COOKIE",
    0x0C: "ASAP_COOKIE_ECHO",
    0x0D: "ASAP_BUSINESS_CARD",
    0x0E: "ASAP_ERROR",
}
ENRP = {
    0x01: "ENRP_PRESENCE",
    0x02: "ENRP_HANDLE_TABLE_REQUEST",
    0x03: "ENRP_HANDLE_TABLE_RESPONSE",
    0x04: "ENRP_HANDLE_UPDATE",
    0x05: "ENRP_LIST_REQUEST",
    0x06: "ENRP_LIST_RESPONSE",
    0x07: "ENRP_INIT_TAKEOVER",
    0x08: "ENRP_INIT_TAKEOVER_ACK",
    0x09: "ENRP_TAKEOVER_SERVER",
    0x0A: "ENRP_ERROR",
}
# The message types that have flags: (bit, key).
FLAGS = {
    "ASAP_REGISTRATION_RESPONSE": [(1, "rejected")],
    "ASAP_HANDLE_RESOLUTION": [(1, "subscribe")],
    "ASAP_HANDLE_RESOLUTION_RESPONSE": [(1, "updates")],
    "ASAP_ENDPOINT_KEEP_ALIVE": [(1, "home")],
    "ENRP_PRESENCE": [(1, "reply_required")],
    "ENRP_HANDLE_TABLE_REQUEST": [(1, "own_only")],
    "ENRP_HANDLE_TABLE_RESPONSE": [(1, "rejected"), (2, "more")],
    "ENRP_HANDLE_UPDATE": [(1, "takeover_suggested")],
    "ENRP_LIST_RESPONSE": [(1, "rejected")],
}
# What follows the type of a policy, 32 bits each (RFC 5356; from 0xb0000000 on reading A20).
POLICIES = {
    0x00000001: [],
    0x00000002: ["weight"],
    0x00000003: [],
    0x00000004: ["weight"],
    0x00000005: ["priority"],
    0x40000001: ["load"],
    0x40000002: ["load", "degradation"],
    0x40000003: ["load", "degradation"],
    0x40000004: ["load"],
    0xB0001001: ["load", "degradation"],
    0xB0001002: ["load", "degradation"],
    0xB0001004: ["load", "degradation"],
    0xB0001003: ["load", "degradation"],
    0xB0002001: ["weight", "dpf", "distance"],
    0xB0002002: ["load", "dpf", "distance"],
    0xB0002003: ["load", "degradation", "dpf", "distance"],
    0xB0002004: ["load", "degradation", "dpf", "distance"],
    0xB0002005: ["load", "degradation", "dpf", "distance"],
}
# Layouts that nobody has seen yet: what has another length is a policy of somebody else's.
GUESSED = {0xB0001001, 0xB0001002, 0xB0001004, 0xB0002004, 0xB0002005}
TRANSPORTS = {3: "DCCP", 4: "SCTP", 5: "TCP", 6: "UDP", 7: "UDP-Lite", 0x10: "Opaque"}
TRANSPORT_TYPES = {name: number for number, name in TRANSPORTS.items()}


def u16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack(">I", value & 0xFFFFFFFF)


def padded(octets):
    return octets + bytes(-len(octets) % 4)


def row(*tlvs):
    """Parameters after each other: padding between them, none behind the last."""
    return b"".join([padded(tlv) for tlv in tlvs[:-1]] + list(tlvs[-1:]))


def tlv(code, *values):
    """A parameter or an error cause; its length leaves out its own padding."""
    value = row(*values)
    return u16(code) + u16(4 + len(value)) + value


def message(kind, flags, *parts, rsplib=False):
    """A whole message; RSPLIB counts the final padding in its length (reading A5)."""
    body = row(*parts)
    length = 4 + len(padded(body) if rsplib else body)
    return padded(bytes([kind, flags]) + u16(length) + body)


# Parameters, in the order of RFC 5354 section 3.

def address(text):
    ip = ipaddress.ip_address(text)
    return tlv(1 if ip.version == 4 else 2, ip.packed)


def transport(t):
    kind = t["kind"]
    if kind == "Opaque":
        return tlv(0x10, bytes.fromhex(t["data"]))
    fixed = u16(t["port"]) + u16(t["use"] if kind == "SCTP" else t.get("reserved", 0))
    if kind == "DCCP":
        fixed += u32(t["service_code"])
    return tlv(TRANSPORT_TYPES[kind], fixed, *[address(a) for a in t["addresses"]])


def policy(p):
    layout = POLICIES.get(p["type"])
    if "data" in p:
        return tlv(8, u32(p["type"]) + bytes.fromhex(p["data"]))
    return tlv(8, u32(p["type"]) + b"".join(u32(p[key]) for key in layout))


def handle(octets):
    return tlv(9, bytes.fromhex(octets))


def ports(p):
    return tlv(0xA6AB, u16(p["user"]) + u16(p["asap"]))


def optional(value, encode):
    return [] if value is None else [encode(value)]


def element(e):
    fixed = u32(e["id"]) + u32(e["home"]) + u32(e["life"])
    parts = [transport(e["user_transport"]), policy(e["policy"])]
    parts += optional(e.get("asap_transport"), transport) + optional(e.get("ports"), ports)
    return tlv(0x0A, fixed, *parts)


def server(s):
    return tlv(0x0B, u32(s["id"]), transport(s["transport"]), *optional(s.get("ports"), ports))


def error(causes):
    return tlv(0x0C, *[tlv(c["code"], bytes.fromhex(c["information"])) for c in causes])


def cookie(octets):
    return tlv(0x0D, bytes.fromhex(octets))


def identifier(number):
    return tlv(0x0E, u32(number))


def checksum(number):
    return tlv(0x0F, u16(number))


def items(number):
    return tlv(0x803F, u32(number))


def internet_checksum(elements):
    """The PE checksum of RFC 5353 section 3.6.2 over pairs of handle and identifier: RFC 1071,
    folded after every word."""
    total = 0
    for octets, number in elements:
        block = padded(bytes.fromhex(octets)) + u32(number)
        for at in range(0, len(block), 2):
            total += block[at] << 8 | block[at + 1]
            total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def parts_of(m):
    """What follows the header, part by part."""
    kind = m["type"]
    if kind.startswith("ENRP"):
        yield u32(m["sender"]) + u32(m["receiver"])
    if "registrar" in m:
        yield u32(m["registrar"])
    if "action" in m:
        yield u16(m["action"]) + u16(0)
    if "target" in m:
        yield u32(m["target"])
    if "checksum" in m:
        yield checksum(m["checksum"])
    if "handle" in m:
        yield handle(m["handle"])
    if "policy" in m:
        yield policy(m["policy"])
    if "items" in m:
        yield items(m["items"])
    if "id" in m:
        yield identifier(m["id"])
    if "element" in m:
        yield element(m["element"])
    yield from map(element, m.get("elements", []))
    yield from map(transport, m.get("transports", []))
    if "server" in m:
        yield server(m["server"])
    yield from map(server, m.get("servers", []))
    for pool in m.get("pools", []):
        yield handle(pool["handle"])
        yield from map(element, pool["elements"])
    if "cookie" in m:
        yield cookie(m["cookie"])
    if "ports" in m:
        yield ports(m["ports"])
    if "error" in m:
        yield error(m["error"])


def number_of(kind):
    table = ASAP if kind.startswith("ASAP") else ENRP
    return next(number for number, name in table.items() if name == kind)


def encode(m, rsplib=False):
    flags = sum(bit for bit, key in FLAGS.get(m["type"], []) if m[key])
    return message(number_of(m["type"]), flags, *parts_of(m), rsplib=rsplib)


# The way back, for messages of others: strict about what is inside, generous about padding.

def split(octets):
    """Parameters or causes as pairs of type and value."""
    found = []
    while octets:
        code, length = struct.unpack(">HH", octets[:4])
        assert 4 <= length <= len(octets), octets.hex()
        found.append((code, octets[4:length]))
        octets = octets[min(len(octets), length + -length % 4):]
    return found


def read_address(code, value):
    assert len(value) == {1: 4, 2: 16}[code]
    return str(ipaddress.ip_address(value))


def read_transport(code, value):
    kind = TRANSPORTS[code]
    if kind == "Opaque":
        return {"kind": kind, "data": value.hex()}
    port, second = struct.unpack(">HH", value[:4])
    t = {"kind": kind, "port": port, "use" if kind == "SCTP" else "reserved": second}
    rest = value[4:]
    if kind == "DCCP":
        (t["service_code"],) = struct.unpack(">I", rest[:4])
        rest = rest[4:]
    return t | {"addresses": [read_address(*each) for each in split(rest)]}


def read_policy(value):
    (kind,) = struct.unpack(">I", value[:4])
    layout = POLICIES.get(kind)
    if layout is None or (kind in GUESSED and len(value) != 4 + 4 * len(layout)):
        return {"type": kind, "data": value[4:].hex()}
    numbers = struct.unpack(f">{len(layout)}I", value[4:])
    return {"type": kind} | dict(zip(layout, numbers))


def read_ports(value):
    user, asap = struct.unpack(">HH", value)
    return {"user": user, "asap": asap}


def read_element(value):
    number, home, life = struct.unpack(">IIi", value[:12])
    e = {"id": number, "home": home, "life": life}
    for code, inner in split(value[12:]):
        if code == 8:
            e["policy"] = read_policy(inner)
        elif code == 0xA6AB:
            e["ports"] = read_ports(inner)
        else:
            e["asap_transport" if "policy" in e else "user_transport"] = read_transport(code, inner)
    return e


def read_server(value):
    s = {"id": struct.unpack(">I", value[:4])[0]}
    for code, inner in split(value[4:]):
        if code == 0xA6AB:
            s["ports"] = read_ports(inner)
        else:
            s["transport"] = read_transport(code, inner)
    return s


def decode(protocol, octets):
    table = ASAP if protocol == "ASAP" else ENRP
    kind, flags, length = struct.unpack(">BBH", octets[:4])
    m = {"type": table[kind]}
    m |= {key: bool(flags & bit) for bit, key in FLAGS.get(m["type"], [])}
    rest = octets[4:length]
    if protocol == "ENRP":
        m["sender"], m["receiver"] = struct.unpack(">II", rest[:8])
        rest = rest[8:]
    if m["type"] in ("ASAP_ENDPOINT_KEEP_ALIVE", "ASAP_SERVER_ANNOUNCE"):
        (m["registrar"],), rest = struct.unpack(">I", rest[:4]), rest[4:]
    if m["type"] == "ENRP_HANDLE_UPDATE":
        (m["action"],), rest = struct.unpack(">H", rest[:2]), rest[4:]
    if "TAKEOVER" in m["type"]:
        (m["target"],), rest = struct.unpack(">I", rest[:4]), rest[4:]
    several = {"ASAP_HANDLE_RESOLUTION_RESPONSE": "elements", "ASAP_BUSINESS_CARD": "elements",
               "ASAP_SERVER_ANNOUNCE": "transports", "ENRP_LIST_RESPONSE": "servers",
               "ENRP_HANDLE_TABLE_RESPONSE": "pools"}.get(m["type"])
    if several:
        m[several] = []
    for code, value in split(rest):
        if code == 9 and several == "pools":
            m["pools"].append({"handle": value.hex(), "elements": []})
        elif code == 9:
            m["handle"] = value.hex()
        elif code == 0x0A and several == "pools":
            m["pools"][-1]["elements"].append(read_element(value))
        elif code == 0x0A and several:
            m["elements"].append(read_element(value))
        elif code == 0x0A:
            m["element"] = read_element(value)
        elif code == 8:
            m["policy"] = read_policy(value)
        elif code == 0x0B and several:
            m["servers"].append(read_server(value))
        elif code == 0x0B:
            m["server"] = read_server(value)
        elif code == 0x0C:
            m["error"] = [{"code": c, "information": v.hex()} for c, v in split(value)]
        elif code == 0x0D:
            m["cookie"] = value.hex()
        elif code == 0x0E:
            (m["id"],) = struct.unpack(">I", value)
        elif code == 0x0F:
            (m["checksum"],) = struct.unpack(">H", value)
        elif code == 0x803F:
            (m["items"],) = struct.unpack(">I", value)
        elif code == 0xA6AB:
            m["ports"] = read_ports(value)
        else:
            m["transports"].append(read_transport(code, value))
    return m
