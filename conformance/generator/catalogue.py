"""The vectors of this project: what is sent, and what its receiver makes of it.

A helper for each kind of vector:
  good      an encoder that follows the RFCs writes exactly these octets, a decoder reads them
  variant   something else that a receiver must take, with the same meaning
  discard   a message that its receiver drops without a word
  report    a message that its receiver drops and answers with an ERROR that holds one cause
"""

from codec import *

OWN = []


def add(file, name, requirements, protocol, octets, **more):
    OWN.append({"file": file, "name": name, "requirements": requirements.split(), "protocol": protocol,
                "hex": octets.hex()} | more)


def good(file, name, requirements, m):
    protocol = m["type"][:4]
    octets = encode(m)
    assert decode(protocol, octets) == m, (name, decode(protocol, octets), m)
    add(file, name, requirements, protocol, octets, expect="accept", canonical=True, message=m)


def read_only(file, name, requirements, m, is_read_only):
    """As `good`, but perhaps a message that nobody should send."""
    good(file, name, requirements, m)
    OWN[-1]["canonical"] = not is_read_only


def variant(file, name, requirements, octets, m, skipped=(), basis=None):
    """`skipped` are unknown parameters that are reported although the message is taken."""
    reports = [{"code": 1, "information": each.hex()} for each in skipped]
    more = {"basis": basis} if basis else {}
    add(file, name, requirements, m["type"][:4], octets, expect="accept", canonical=False,
        **more, reports=reports, message=m)


def discard(file, name, requirements, protocol, octets, basis=None):
    more = {"basis": basis} if basis else {}
    add(file, name, requirements, protocol, octets, expect="discard", **more)


def report(file, name, requirements, protocol, octets, code, information, basis=None):
    reports(file, name, requirements, protocol, octets, [(code, information)], basis)


def reports(file, name, requirements, protocol, octets, causes, basis=None):
    more = {"basis": basis} if basis else {}
    add(file, name, requirements, protocol, octets, expect="report", **more,
        reports=[{"code": code, "information": information.hex()} for code, information in causes])


MISSING = "choice: what is missing inside a parameter makes that parameter an Invalid Value"
AT_TOP = "choice: a compulsory parameter is missing and there is none to report"
FRAMING = "choice: impossible lengths are never quoted"
PLACE = "choice: a known parameter in a wrong place counts as unknown there (top bits 00)"
INNER = "choice: a field with a forbidden or truncated value makes the innermost parameter an Invalid Value"

POOL = "4563686f506f6f6c"  # EchoPool
SCTP4 = {"kind": "SCTP", "port": 7, "use": 0, "addresses": ["192.0.2.1"]}
ASAP4 = {"kind": "SCTP", "port": 50001, "use": 0, "addresses": ["192.0.2.1"]}
RR = {"type": 1}


def pe(number=0x2001, home=0, life=300, user=SCTP4, p=RR, **more):
    return {"id": number, "home": home, "life": life, "user_transport": user, "policy": p} | more


def pr(number=0x11, **more):
    t = {"kind": "SCTP", "port": 9901, "use": 0, "addresses": ["192.0.2.11"]}
    return {"id": number, "transport": t} | more


def cause(code, information=b""):
    return {"code": code, "information": information.hex()}


def registration(**more):
    return {"type": "ASAP_REGISTRATION", "handle": POOL, "element": pe(**more)}


def resolution(octets=POOL, **more):
    return {"type": "ASAP_HANDLE_RESOLUTION", "subscribe": False, "handle": octets} | more


def enrp(kind, sender=0x11, receiver=0x12, **more):
    return {"type": "ENRP_" + kind} | {key: False for _, key in FLAGS.get("ENRP_" + kind, [])} \
        | {"sender": sender, "receiver": receiver} | more


UNKNOWN_POOL = [cause(9)]


def asap_messages():
    f = "asap"
    good(f, "registration", "ASAP-2.2.1-01 ASAP-3.1-03 PARAM-3.10-01", registration())
    good(f, "registration-infinite-life", "ASAP-2.2.1-01 PARAM-3.10-02", registration(life=-1))
    good(f, "registration-longest-life", "PARAM-3.10-02 ASAP-3.1-04", registration(life=0x7FFFFFFF))
    good(f, "registration-life-zero", "PARAM-3.10-02", registration(life=0))
    good(f, "registration-life-negative", "PARAM-3.10-02", registration(life=-2))
    good(f, "registration-again-with-home", "ASAP-3.1-15 ASAP-3.1-16 PARAM-3.10-03", registration(home=0x11))
    good(f, "registration-with-asap-transport", "ASAP-3.1-09 PARAM-3.10-05", registration(asap_transport=ASAP4))
    good(f, "registration-with-ports", "PARAM-3-09", registration(ports={"user": 9899, "asap": 0}))
    good(f, "registration-with-asap-transport-and-ports", "PARAM-3.10-05 PARAM-3-09",
         registration(home=1, asap_transport=ASAP4, ports={"user": 20001, "asap": 20002}))
    good(f, "registration-largest-identifiers", "PARAM-2-01", registration(number=0xFFFFFFFF, home=0xFFFFFFFE))
    good(f, "deregistration", "ASAP-2.2.2-01 PARAM-3.14-01",
         {"type": "ASAP_DEREGISTRATION", "handle": POOL, "id": 0x2001})
    for rejected, causes, what in [
        (False, None, "granted"), (True, [cause(6)], "refused"), (False, [cause(3)], "granted-with-warning"),
        (True, None, "refused-without-cause"), (True, [cause(4), cause(0), cause(6)], "refused-with-three-causes"),
    ]:
        m = {"type": "ASAP_REGISTRATION_RESPONSE", "rejected": rejected, "handle": POOL, "id": 0x2001}
        good(f, "registration-response-" + what, "ASAP-2.2.3-01 ASAP-2.2.3-03",
             m | ({"error": causes} if causes else {}))
    done = {"type": "ASAP_DEREGISTRATION_RESPONSE", "handle": POOL, "id": 0x2001}
    good(f, "deregistration-response", "ASAP-2.2.4-01", done)
    good(f, "deregistration-response-refused", "ASAP-2.2.4-01 ASAP-3.2-11", done | {"error": [cause(10)]})
    good(f, "handle-resolution", "ASAP-2.2.5-01 PARAM-3.9-01", resolution())
    good(f, "handle-resolution-subscribe", "ASAP-2.2.5-01", resolution(subscribe=True))
    for number in (0, 1, 3, 0xFFFFFFFF):
        good(f, f"handle-resolution-items-{number:#x}", "ASAP-2.2.5-01 PARAM-3-09", resolution(items=number))
    for size in (1, 2, 3, 4, 5, 31, 32, 33, 255, 1024):
        octets = bytes(0x61 + i % 26 for i in range(size)).hex()
        good(f, f"handle-resolution-handle-of-{size}", "PARAM-3.9-01 PARAM-3-03", resolution(octets))
    good(f, "handle-resolution-empty-handle", "PARAM-3.9-01 PARAM-3-02", resolution(""))
    good(f, "handle-resolution-handle-with-zeros", "PARAM-3.9-01", resolution("00ff00"))
    good(f, "handle-resolution-handle-not-utf8", "PARAM-3.9-01", resolution("fffe80c3"))
    answer = {"type": "ASAP_HANDLE_RESOLUTION_RESPONSE", "updates": False, "handle": POOL}
    good(f, "handle-resolution-response", "ASAP-2.2.6-01 ASAP-2.2.6-06", answer | {"policy": RR, "elements": [pe()]})
    good(f, "handle-resolution-response-updates", "ASAP-2.2.6-01",
         answer | {"updates": True, "policy": RR, "elements": [pe()]})
    good(f, "handle-resolution-response-no-policy", "ASAP-2.2.6-01 ASAP-2.2.6-03", answer | {"elements": [pe()]})
    good(f, "handle-resolution-response-other-policy-inside", "ASAP-2.2.6-05",
         answer | {"policy": {"type": 3}, "elements": [pe(p={"type": 2, "weight": 9})]})
    many = [pe(0x2000 + i, home=0x11, user=SCTP4 | {"addresses": [f"192.0.2.{i + 1}", f"2001:db8::{i + 1:x}"]})
            for i in range(40)]
    good(f, "handle-resolution-response-40-elements", "ASAP-2.2.6-01 ASAP-3.3-12",
         answer | {"policy": RR, "elements": many})
    good(f, "handle-resolution-response-negative", "ASAP-2.2.6-04 ASAP-2.2.6-07 ASAP-3.3-14",
         answer | {"elements": [], "error": UNKNOWN_POOL})
    read_only(f, "handle-resolution-response-empty", "ASAP-2.2.6-01", answer | {"elements": []}, True)
    alive = {"type": "ASAP_ENDPOINT_KEEP_ALIVE", "home": False, "registrar": 0x11, "handle": POOL}
    good(f, "keep-alive", "ASAP-2.2.7-01", alive)
    good(f, "keep-alive-new-home", "ASAP-2.2.7-01", alive | {"home": True})
    good(f, "keep-alive-from-nobody", "ASAP-2.2.7-01", alive | {"registrar": 0})
    good(f, "keep-alive-names-element", "ASAP-2.2.7-01", alive | {"id": 0x2001})
    good(f, "keep-alive-new-home-names-element", "ASAP-2.2.7-01", alive | {"home": True, "id": 0x2001})
    good(f, "keep-alive-ack", "ASAP-2.2.8-01 ASAP-3.4-02",
         {"type": "ASAP_ENDPOINT_KEEP_ALIVE_ACK", "handle": POOL, "id": 0x2001})
    good(f, "unreachable", "ASAP-2.2.9-01", {"type": "ASAP_ENDPOINT_UNREACHABLE", "handle": POOL, "id": 0x2001})
    announce = {"type": "ASAP_SERVER_ANNOUNCE", "registrar": 0x11}
    tcp = {"kind": "TCP", "port": 3863, "reserved": 0, "addresses": ["192.0.2.11"]}
    sctp = {"kind": "SCTP", "port": 3863, "use": 0, "addresses": ["192.0.2.11", "2001:db8::11"]}
    for what, transports in [("bare", []), ("sctp", [sctp]), ("tcp", [tcp]), ("both", [sctp, tcp]),
                             ("three", [tcp, sctp, sctp])]:
        good(f, "server-announce-" + what, "ASAP-2.2.10-01 ASAP-2.2.10-02", announce | {"transports": transports})
    good(f, "server-announce-with-ports", "ASAP-2.2.10-01 PARAM-3-09",
         announce | {"transports": [sctp], "ports": {"user": 9899, "asap": 0}})
    for kind, requirement in [("ASAP_COOKIE", "ASAP-2.2.11-01"), ("ASAP_COOKIE_ECHO", "ASAP-2.2.12-01")]:
        for size in (0, 1, 4, 7, 1000):
            good(f, f"{kind[5:].lower().replace('_', '-')}-of-{size}", requirement + " PARAM-3.13-01",
                 {"type": kind, "cookie": bytes(i * 7 % 256 for i in range(size)).hex()})
    card = {"type": "ASAP_BUSINESS_CARD", "handle": POOL}
    good(f, "business-card", "ASAP-2.2.13-01", card | {"elements": [pe()]})
    good(f, "business-card-in-order", "ASAP-2.2.13-01", card | {"elements": [pe(3), pe(1), pe(2)]})
    good(f, "business-card-with-policy", "ASAP-2.2.13-01", card | {"policy": RR, "elements": [pe()]})
    good(f, "error", "ASAP-2.2.14-01", {"type": "ASAP_ERROR", "error": [cause(0)]})
    # Flags that mean nothing are ignored: each message again with all of them set.
    for each in [v for v in OWN if v["file"] == f and v["name"] in (
            "registration", "deregistration", "registration-response-granted", "deregistration-response",
            "handle-resolution", "handle-resolution-response", "keep-alive", "keep-alive-ack", "unreachable",
            "server-announce-bare", "cookie-of-4", "cookie-echo-of-4", "business-card", "error")]:
        undefined_flags(f, each)


def undefined_flags(f, v):
    m = v["message"]
    meant = sum(bit for bit, _ in FLAGS.get(m["type"], []))
    octets = bytearray.fromhex(v["hex"])
    octets[1] = 0xFF ^ meant
    variant(f, v["name"] + "-undefined-flags", "PARAM-4-02", bytes(octets), m)


def enrp_messages():
    f = "enrp"
    for reply in (False, True):
        for sum_ in (None, 0x8490, 0xFFFF, 0):
            for s in (None, pr(), pr(ports={"user": 9899, "asap": 0})):
                m = enrp("PRESENCE", reply_required=reply)
                m |= ({} if sum_ is None else {"checksum": sum_}) | ({} if s is None else {"server": s})
                parts = [str(x) for x in (["reply"] if reply else []) + ([] if sum_ is None else [f"{sum_:#06x}"])
                         + ([] if s is None else ["server"]) + (["ports"] if s and "ports" in s else [])]
                good(f, "-".join(["presence", *parts]), "ENRP-2.1-01 ENRP-2.1-02 PARAM-3.15-01 ENRP-2.1-04", m)
    good(f, "presence-to-all", "ENRP-2.1-03", enrp("PRESENCE", receiver=0, checksum=0xFFFF))
    good(f, "presence-two-addresses", "PARAM-3.11-01", enrp("PRESENCE", checksum=1, server={
        "id": 0x11, "transport": {"kind": "SCTP", "port": 9901, "use": 0,
                                  "addresses": ["192.0.2.11", "2001:db8::11"]}}))
    good(f, "handle-table-request", "ENRP-2.2-01", enrp("HANDLE_TABLE_REQUEST"))
    good(f, "handle-table-request-own", "ENRP-2.2-01", enrp("HANDLE_TABLE_REQUEST", own_only=True))
    full = pe(home=0x11, asap_transport=ASAP4)
    one = [{"handle": POOL, "elements": [full]}]
    several = [{"handle": "61", "elements": [full]}, {"handle": "626364", "elements": [full, pe(7, home=0x12)]},
               {"handle": "6566676869", "elements": [pe(9, home=0x13, p={"type": 2, "weight": 1})]}]
    for rejected, more, pools, what in [
        (False, False, one, "one"), (False, True, one, "more"), (False, False, several, "several"),
        (False, True, several, "several-more"), (True, False, [], "rejected"), (False, False, [], "empty"),
        (True, True, [], "rejected-more"),
    ]:
        good(f, "handle-table-response-" + what, "ENRP-2.3-01 ENRP-2.3-02 ENRP-2.3-03",
             enrp("HANDLE_TABLE_RESPONSE", rejected=rejected, more=more, pools=pools))
    for action in (0, 1, 2, 0xFFFF):
        m = enrp("HANDLE_UPDATE", receiver=0, action=action, handle=POOL, element=full)
        read_only(f, f"handle-update-action-{action:#x}", "ENRP-2.4-01 ENRP-2.4-02 ENRP-3.3.1-02 ENRP-3.3.2-02", m,
                  action > 1)
        good(f, f"handle-update-action-{action:#x}-takeover-suggested", "ENRP-2.4-01", m | {"takeover_suggested": True})
    good(f, "handle-update-with-ports", "ENRP-2.4-01 PARAM-3-09",
         enrp("HANDLE_UPDATE", action=0, handle=POOL, element=full | {"ports": {"user": 1, "asap": 2}}))
    octets = bytearray(encode(m))
    octets[14:16] = b"\xab\xcd"
    variant(f, "handle-update-reserved-not-zero", "ENRP-2.4-03", bytes(octets), m)
    good(f, "list-request", "ENRP-2.5-01", enrp("LIST_REQUEST"))
    for rejected, servers, what in [(False, [], "empty"), (False, [pr()], "one"), (True, [], "rejected"),
                                    (False, [pr(i) for i in range(1, 6)], "five"),
                                    (False, [pr(ports={"user": 5, "asap": 0}), pr(0x13)], "ports")]:
        good(f, "list-response-" + what, "ENRP-2.6-01 ENRP-2.6-02", enrp("LIST_RESPONSE", rejected=rejected, servers=servers))
    for kind, requirement in [("INIT_TAKEOVER", "ENRP-2.7-01"), ("INIT_TAKEOVER_ACK", "ENRP-2.8-01"),
                              ("TAKEOVER_SERVER", "ENRP-2.9-01")]:
        for target in (1, 0x80000000, 0xFFFFFFFF):
            good(f, f"{kind.lower().replace('_', '-')}-{target:#x}", requirement, enrp(kind, target=target))
    good(f, "error", "ENRP-2.10-01", enrp("ERROR", error=[cause(0)]))
    good(f, "error-to-all", "ENRP-2.10-01", enrp("ERROR", receiver=0, error=[cause(2, message(0x4B, 0, b""))]))
    for each in [v for v in OWN if v["file"] == f and v["name"] in (
            "presence-0x8490", "handle-table-request", "handle-table-response-one", "handle-update-action-0x0",
            "list-request", "list-response-one", "init-takeover-0x1", "init-takeover-ack-0x1",
            "takeover-server-0x1", "error")]:
        undefined_flags(f, each)


def transports():
    f = "transports"
    numbers = {"DCCP": "PARAM-3.3-01", "SCTP": "PARAM-3.4-01", "TCP": "PARAM-3.5-01", "UDP": "PARAM-3.6-01",
               "UDP-Lite": "PARAM-3.7-01", "Opaque": "PARAM-3.16-01"}
    for kind in ("TCP", "UDP", "UDP-Lite", "DCCP"):
        for a, version in (("192.0.2.1", "ipv4"), ("2001:db8::1", "ipv6")):
            for reserved in (0, 1, 0xFFFF):
                t = {"kind": kind, "port": 80, "reserved": reserved, "addresses": [a]}
                t |= {"service_code": 0xDEADBEEF} if kind == "DCCP" else {}
                # What is reserved is sent as zero, and read whatever it is (reading A9).
                read_only(f, f"{kind.lower()}-{version}-reserved-{reserved:#x}",
                          numbers[kind] + (" PARAM-3.1-01" if version == "ipv4" else " PARAM-3.2-01"),
                          registration(user=t), reserved != 0)
    for use in (0, 1):
        for addresses in (["192.0.2.1"], ["2001:db8::1"], ["192.0.2.1", "2001:db8::1"],
                          ["2001:db8::1", "192.0.2.1", "192.0.2.2"], ["0.0.0.0"], ["::ffff:c000:201"],
                          [f"192.0.2.{i}" for i in range(64)]):
            t = {"kind": "SCTP", "port": 65535, "use": use, "addresses": addresses}
            good(f, f"sctp-use-{use}-{len(addresses)}-from-{addresses[0].replace(':', '.')}",
                 "PARAM-3.4-01 PARAM-3.4-02 PARAM-3.4-03", registration(user=t))
    for size in (0, 1, 4, 6, 300):
        t = {"kind": "Opaque", "data": bytes(range(256)).hex()[: 2 * size] if size < 256 else "5a" * size}
        good(f, f"opaque-of-{size}", numbers["Opaque"], registration(user=t))
    # Bad ones, each inside a registration.
    whole = lambda inner, after=policy(RR): message(
        1, 0, handle(POOL), tlv(0x0A, u32(0x2001) + u32(0) + u32(300), inner, after))
    v4, v6 = address("192.0.2.1"), address("2001:db8::1")
    for use in (2, 0x100, 0xFFFF):
        bad = tlv(4, u16(7) + u16(use), v4)
        report(f, f"sctp-forbidden-use-{use:#x}", "PARAM-3.4-02 PARAM-3.12.4-01", "ASAP", whole(bad), 3, bad)
    bad = tlv(4, u16(7) + u16(0))
    report(f, "sctp-without-address", "PARAM-3.4-03 PARAM-3.12.4-01", "ASAP", whole(bad), 3, bad, MISSING)
    for code, kind in ((3, "DCCP"), (5, "TCP"), (6, "UDP"), (7, "UDP-Lite")):
        fixed = u16(7) + u16(0) + (u32(1) if code == 3 else b"")
        bad = tlv(code, fixed)
        report(f, f"{kind.lower()}-without-address", numbers[kind], "ASAP", whole(bad), 3, bad, MISSING)
        for second, version in ((v4, "ipv4"), (v6, "ipv6")):
            bad = tlv(code, fixed, v4, second)
            report(f, f"{kind.lower()}-second-address-{version}", numbers[kind], "ASAP", whole(bad), 3, bad, INNER)
        bad = tlv(code, fixed[:-2])
        report(f, f"{kind.lower()}-cut-short", numbers[kind], "ASAP", whole(bad), 3, bad, INNER)
        bad = tlv(code, b"")
        report(f, f"{kind.lower()}-without-anything", numbers[kind], "ASAP", whole(bad), 3, bad, INNER)
    for code, good_size, requirement in ((1, 4, "PARAM-3.1-01"), (2, 16, "PARAM-3.2-01")):
        for size in (0, good_size - 1, good_size + 1, good_size + 4):
            bad = tlv(code, b"\x7f" * size)
            report(f, f"ipv{4 if code == 1 else 6}-of-{size}", requirement, "ASAP",
                   whole(tlv(4, u16(7) + u16(0), bad)), 3, bad, INNER)
    inside = tlv(4, u16(7) + u16(0), v4, policy(RR))
    discard(f, "sctp-with-policy-inside", "PARAM-3.4-01", "ASAP", whole(inside), PLACE)
    # Pool Element as a whole.
    fixed = u32(0x2001) + u32(0) + u32(300)
    def element_of(*parts):
        return tlv(0x0A, *parts)
    def around(bad):
        return message(1, 0, handle(POOL), bad)
    t = transport(SCTP4)
    for name, bad in [
        ("without-transport", element_of(fixed, policy(RR))),
        ("without-policy", element_of(fixed, t)),
        ("without-anything", element_of(fixed)),
        ("cut-in-life", element_of(fixed[:10])),
        ("cut-in-identifier", element_of(fixed[:3])),
        ("empty", element_of()),
    ]:
        report(f, "element-" + name, "PARAM-3.10-01 PARAM-3.10-04", "ASAP", around(bad), 3, bad,
               MISSING if name.startswith("without") else INNER)
    tcp = transport({"kind": "TCP", "port": 7, "addresses": ["192.0.2.1"]})
    bad = element_of(fixed, t, tcp, policy(RR))
    report(f, "element-two-user-transports", "PARAM-3.10-04", "ASAP", around(bad), 3, tcp, INNER)
    bad = element_of(fixed, t, policy(RR), tcp)
    report(f, "element-asap-transport-not-sctp", "PARAM-3.10-05", "ASAP", around(bad), 3, tcp, INNER)
    bad = element_of(fixed, policy(RR), t)
    report(f, "element-policy-first", "PARAM-3.10-01", "ASAP", around(bad), 3, bad, MISSING)
    discard(f, "element-two-policies", "PARAM-3.10-01", "ASAP",
            around(element_of(fixed, t, policy(RR), policy(RR))), PLACE)
    discard(f, "element-three-transports", "PARAM-3.10-01", "ASAP",
            around(element_of(fixed, t, policy(RR), t, t)), PLACE)
    # Server Information as a whole.
    def presence(bad):
        return message(1, 0, u32(0x11) + u32(0x12), bad)
    bad = tlv(0x0B, u32(0x11))
    report(f, "server-without-transport", "PARAM-3.11-01", "ENRP", presence(bad), 3, bad, MISSING)
    bad = tlv(0x0B, u32(0x11), tcp)
    report(f, "server-transport-not-sctp", "PARAM-3.11-01", "ENRP", presence(bad), 3, tcp, INNER)
    bad = tlv(0x0B, b"\x00\x11")
    report(f, "server-cut-short", "PARAM-3.11-01", "ENRP", presence(bad), 3, bad, INNER)
    bad = tlv(0x0F, b"\x01")
    report(f, "checksum-of-1", "PARAM-3.15-01", "ENRP", presence(bad), 3, bad, INNER)
    bad = tlv(0x0F, b"\x01\x02\x03\x04")
    report(f, "checksum-of-4", "PARAM-3.15-01", "ENRP", presence(bad), 3, bad, INNER)
    for size in (0, 3, 5, 8):
        bad = tlv(0x0E, b"\x20" * size)
        report(f, f"identifier-of-{size}", "PARAM-3.14-01", "ASAP", message(2, 0, handle(POOL), bad), 3, bad, INNER)


def policies():
    f = "policies"
    names = {1: "POL-4.1.4-01", 2: "POL-4.2.4-01", 3: "POL-4.3.4-01", 4: "POL-4.4.4-01", 5: "POL-4.5.4-01",
             0x40000001: "POL-5.1.4-01", 0x40000002: "POL-5.2.4-01", 0x40000003: "POL-5.3.4-01",
             0x40000004: "POL-5.4.4-01"}
    for kind, layout in POLICIES.items():
        requirement = names.get(kind, "POL-7.1-01 POL-7.1-02")
        extremes = [dict.fromkeys(layout, n) for n in ((0, 1, 0xFFFFFFFF) if layout else (0,))]
        extremes += [dict(zip(layout, (0x01020304, 0x11121314, 0x21222324, 0x31323334)))] if len(layout) > 1 else []
        for number, values in enumerate(extremes):
            good(f, f"policy-{kind:#010x}-{number}", requirement + " PARAM-3.8-01 POL-3.1-01",
                 registration(p={"type": kind} | values))
        values = b"".join(u32(1) for _ in layout)
        for size in sorted({0, 3, len(values) - 4, len(values) - 1, len(values) + 1, len(values) + 4} - {len(values)}):
            if size >= 0 and kind in GUESSED:
                good(f, f"policy-{kind:#010x}-with-{size}-octets", requirement,
                     registration(p={"type": kind, "data": "01" * size}))
                OWN[-1]["basis"] = "reading A20"
            elif size >= 0:
                bad = tlv(8, u32(kind) + b"\1" * size)
                report(f, f"policy-{kind:#010x}-with-{size}-octets", requirement, "ASAP",
                       message(1, 0, handle(POOL), tlv(0x0A, u32(1) + u32(0) + u32(9), transport(SCTP4), bad)),
                       3, bad, INNER)
    for kind in (0, 0x40000000):
        bad = tlv(8, u32(kind))
        report(f, f"policy-invalid-{kind:#010x}", "POL-7.1-02 PARAM-3.12.4-01", "ASAP",
               message(1, 0, handle(POOL), tlv(0x0A, u32(1) + u32(0) + u32(9), transport(SCTP4), bad)), 3, bad)
    for kind in (0x6, 0x3FFFFFFF, 0x40000005, 0x7FFFFFFF, 0x80000000, 0xB0001000, 0xB0001005, 0xB0002006,
                 0xC0000001, 0xFFFFFFFF):
        for size in (0, 1, 4, 9):
            good(f, f"policy-{kind:#010x}-opaque-{size}", "POL-7.1-02 PARAM-3.8-01 PARAM-3.8-02",
                 registration(p={"type": kind, "data": "a5" * size}))
    for size in (0, 3):
        bad = tlv(8, b"\0" * size)
        report(f, f"policy-of-{size}", "PARAM-3.8-01", "ASAP",
               message(1, 0, handle(POOL), tlv(0x0A, u32(1) + u32(0) + u32(9), transport(SCTP4), bad)), 3, bad, INNER)


def causes():
    f = "causes"
    offending = tlv(0xC123, b"\xab\xcd")
    content = {
        0x0: ("PARAM-3.12.1-01", b""), 0x1: ("PARAM-3.12.2-01", offending),
        0x2: ("PARAM-3.12.3-01", message(0x42, 0, b"\1\2\3\4")), 0x3: ("PARAM-3.12.4-01", policy({"type": 0, "data": ""})),
        0x4: ("PARAM-3.12.5-01", b""), 0x5: ("PARAM-3.12.6-01", policy({"type": 2, "weight": 7})),
        0x6: ("PARAM-3.12.7-01", b""), 0x7: ("PARAM-3.12.8-01", transport(SCTP4)), 0x8: ("PARAM-3.12.9-01", b""),
        0x9: ("PARAM-3.12.11-01", b""), 0xA: ("PARAM-3.12.10-01", b""),
    }
    for code, (requirement, information) in content.items():
        error_ = [cause(code, information)]
        good(f, f"asap-cause-{code:#x}", requirement + " PARAM-3.12-01 PARAM-3.12-02 ASAP-2.2.14-01",
             {"type": "ASAP_ERROR", "error": error_})
        good(f, f"enrp-cause-{code:#x}", requirement + " PARAM-3.12-01 PARAM-3.12-02 ENRP-2.10-01",
             enrp("ERROR", error=error_))
        # Whatever a cause carries, its length says how much.
        good(f, f"cause-{code:#x}-with-other-information", "PARAM-3.12-02",
             {"type": "ASAP_ERROR", "error": [cause(code, b"\1\2\3\4\5")]})
    for code in (0xB, 0x10, 0x11, 0x100A, 0x100B, 0x7FFF, 0xF000, 0xFFFF):
        for information in (b"", b"why"):
            good(f, f"cause-{code:#x}-of-{len(information)}", "PARAM-3.12-02",
                 {"type": "ASAP_ERROR", "error": [cause(code, information)]})
    good(f, "two-unrecognized-parameters", "PARAM-3.12.2-01 PARAM-3.12-02",
         {"type": "ASAP_ERROR", "error": [cause(1, tlv(0xC001, b"a")), cause(1, tlv(0xC002, b"bcd"))]})
    good(f, "eleven-causes", "PARAM-3.12-01", {"type": "ASAP_ERROR", "error": [cause(c, b"x" * c) for c in range(11)]})
    # Nothing that is wrong with an ERROR is answered with an ERROR.
    never = "choice: an ERROR is never answered with an ERROR"
    for protocol, kind, before in (("ASAP", 0x0E, []), ("ENRP", 0x0A, [u32(1) + u32(2)])):
        for name, inner in [("no-parameter", []), ("no-cause", [tlv(0x0C)]), ("unknown-first", [tlv(0x4001), error([cause(0)])]),
                            ("cause-length-3", [tlv(0x0C, b"\0\0\0\3")]), ("cause-too-long", [tlv(0x0C, b"\0\0\0\5")]),
                            ("cause-cut", [tlv(0x0C, b"\0\0")])]:
            discard(f, f"{protocol.lower()}-error-{name}", "PARAM-3.12-01", protocol, message(kind, 0, *before, *inner), never)
    m = {"type": "ASAP_ERROR", "error": [cause(0)]}
    variant(f, "error-with-reportable-parameter", "PARAM-3-10", message(0x0E, 0, error([cause(0)]), tlv(0xC001)), m, (), never)


def unknown():
    """The two high bits of parameter and message types (RFC 5354 sections 3 and 4)."""
    f = "unknown"
    rules = [(0b00, "PARAM-3-07"), (0b01, "PARAM-3-08"), (0b10, "PARAM-3-09"), (0b11, "PARAM-3-10")]
    low = 0x0123
    places = {}

    def place(name, m, build):
        places[name] = (m, build)

    place("first", resolution(), lambda x: message(5, 0, x, handle(POOL)))
    place("last", resolution(), lambda x: message(5, 0, handle(POOL), x))
    both = {"type": "ASAP_DEREGISTRATION", "handle": POOL, "id": 1}
    place("between", both, lambda x: message(2, 0, handle(POOL), x, identifier(1)))
    def in_element(x, where):
        fixed = u32(0x2001) + u32(0) + u32(300)
        inner = [transport(SCTP4), policy(RR)]
        inner.insert(where, x)
        return message(1, 0, handle(POOL), tlv(0x0A, fixed, *inner))
    for where, name in ((0, "element-first"), (1, "element-between"), (2, "element-last")):
        place(name, registration(), lambda x, where=where: in_element(x, where))
    place("transport-last", registration(), lambda x: message(1, 0, handle(POOL), tlv(
        0x0A, u32(0x2001) + u32(0) + u32(300), tlv(4, u16(7) + u16(0), address("192.0.2.1"), x), policy(RR))))
    place("transport-first", registration(), lambda x: message(1, 0, handle(POOL), tlv(
        0x0A, u32(0x2001) + u32(0) + u32(300), tlv(4, u16(7) + u16(0), x, address("192.0.2.1")), policy(RR))))
    place("enrp-first", enrp("PRESENCE", checksum=7), lambda x: message(1, 0, u32(0x11) + u32(0x12), x, checksum(7)))
    place("enrp-last", enrp("LIST_REQUEST"), lambda x: message(5, 0, u32(0x11) + u32(0x12), x))
    place("server-last", enrp("PRESENCE", server=pr()), lambda x: message(
        1, 0, u32(0x11) + u32(0x12), tlv(0x0B, u32(0x11), transport(pr()["transport"]), x)))
    for name, (m, build) in places.items():
        protocol = m["type"][:4]
        extra = " ENRP-3.7-01" if protocol == "ENRP" else " ASAP-2.2.14-02"
        for bits, requirement in rules:
            for size in (0, 1, 4, 6):
                unknown_ = tlv(bits << 14 | low, b"\xee" * size)
                title = f"parameter-{bits:02b}-{name}-of-{size}"
                if bits == 0b00:
                    discard(f, title, requirement, protocol, build(unknown_))
                elif bits == 0b01:
                    report(f, title, requirement + " PARAM-3.12.2-01" + extra, protocol, build(unknown_), 1, unknown_)
                else:
                    skipped = [unknown_] if bits == 0b11 else []
                    variant(f, title, requirement, build(unknown_), m, skipped)
    for code in (0x0000, 0x0011, 0x003F, 0x3FFF):
        discard(f, f"parameter-type-{code:#06x}", "PARAM-3-07 PARAM-3-06", "ASAP", message(5, 0, handle(POOL), tlv(code)))
    for code in (0x4000, 0x4009, 0x7FFF):
        bad = tlv(code, b"ab")
        report(f, f"parameter-type-{code:#06x}", "PARAM-3-08", "ASAP", message(5, 0, handle(POOL), bad), 1, bad)
    for code in (0x8000, 0x8009, 0x8040, 0xBFFF, 0xA6AC):
        variant(f, f"parameter-type-{code:#06x}", "PARAM-3-09", message(5, 0, tlv(code, b"ab"), handle(POOL)), resolution())
    for code in (0xC000, 0xC009, 0xFFFE, 0xFFFF):
        bad = tlv(code, b"ab")
        variant(f, f"parameter-type-{code:#06x}", "PARAM-3-10 PARAM-3-06", message(5, 0, bad, handle(POOL)), resolution(), [bad])
    two = [tlv(0xC001, b"1"), tlv(0xC002, b"22")]
    variant(f, "two-reported-parameters", "PARAM-3-10 PARAM-3.12.2-01", message(5, 0, two[0], handle(POOL), two[1]), resolution(), two)
    variant(f, "skipped-and-reported", "PARAM-3-09 PARAM-3-10", message(5, 0, tlv(0x8001, b"1"), two[0], handle(POOL)), resolution(), two[:1])
    stopped = "choice: parameters that are skipped before are reported, whatever stops the message"
    reports(f, "reported-then-silent-stop", "PARAM-3-07 PARAM-3-10", "ASAP",
            message(5, 0, two[0], tlv(1 << 8), handle(POOL)), [(1, two[0])], stopped)
    reports(f, "reported-then-reported-stop", "PARAM-3-08 PARAM-3-10 PARAM-3.12.2-01", "ASAP",
            message(5, 0, two[0], tlv(0x4001), handle(POOL)), [(1, two[0]), (1, tlv(0x4001))], stopped)
    reports(f, "reported-then-impossible-length", "PARAM-3-10", "ASAP",
            message(5, 0, two[0], handle(POOL), bytes.fromhex("c002000900000000")), [(1, two[0])], stopped)
    report(f, "reported-stop-before-silent-stop", "PARAM-3-08", "ASAP",
           message(5, 0, handle(POOL), tlv(0x4001), tlv(0x0100)), 1, tlv(0x4001))
    # Message types. A registrar knows 0x01 to 0x0e of ASAP and 0x01 to 0x0a of ENRP.
    for protocol, kinds in (("ASAP", (0x00, 0x0F, 0x10, 0x3F)), ("ENRP", (0x00, 0x0B, 0x0E, 0x3F))):
        requirement = "ASAP-2.2-01" if protocol == "ASAP" else "ENRP-2-02"
        for kind in kinds:
            discard(f, f"{protocol.lower()}-message-{kind:#04x}", "PARAM-4-05 " + requirement, protocol, message(kind, 0, b"\1\2\3\4"))
        for kind in (0x80, 0xBF, 0xC0, 0xFE, 0xFF):
            discard(f, f"{protocol.lower()}-message-{kind:#04x}", "PARAM-4-07", protocol, message(kind, 0, b"\1\2\3\4"), "reading A17")
        for kind in (0x40, 0x41, 0x7F):
            for size in (0, 1, 4, 11):
                octets = message(kind, 0x5A, b"\xcc" * size)
                report(f, f"{protocol.lower()}-message-{kind:#04x}-of-{size}", "PARAM-4-06 PARAM-3.12.3-01", protocol,
                       octets, 2, octets[: 4 + size])


def framing():
    """Lengths, padding, order and what is missing."""
    f = "framing"
    for name, octets in [
        ("nothing", b""), ("one-octet", b"\5"), ("three-octets", b"\5\0\0"), ("length-0", b"\5\0\0\0"),
        ("length-3", b"\5\0\0\3"), ("length-beyond-end", b"\5\0\0\x08"), ("length-65535", b"\5\0\xff\xff\0\0\0\0"),
        ("parameter-length-0", message(5, 0, b"\0\x09\0\0")), ("parameter-length-3", message(5, 0, b"\0\x09\0\3")),
        ("parameter-beyond-end", message(5, 0, b"\0\x09\0\5")), ("parameter-far-beyond-end", message(5, 0, b"\0\x09\xff\xff")),
        ("parameter-header-cut", b"\5\0\0\6\0\x09\0\0"), ("four-octets-behind", encode(resolution()) + bytes(4)),
        ("parameter-beyond-container", message(1, 0, handle(POOL), tlv(0x0A, u32(1) + u32(0) + u32(0), b"\0\4\0\x20\0\7\0\0"))),
        ("keep-alive-cut-in-identifier", b"\7\0\0\6\0\0\0\0"),
    ]:
        discard(f, name, "PARAM-3-02 PARAM-4-03", "ASAP", octets, FRAMING)
    for size in (4, 6, 8, 10):
        discard(f, f"enrp-of-{size}", "PARAM-4-03 ENRP-2.5-01", "ENRP", padded(b"\5\0" + u16(size) + bytes(size - 4)), FRAMING)
    discard(f, "handle-update-cut-in-action", "ENRP-2.4-01", "ENRP", padded(b"\4\0" + u16(13) + u32(1) + u32(2) + b"\0"), FRAMING)
    discard(f, "init-takeover-without-target", "ENRP-2.7-01", "ENRP", message(7, 0, u32(1) + u32(2)), FRAMING)
    # Padding: whatever it holds, and whether the message counts it or not (readings A5 and A6).
    for size in (1, 2, 3, 5, 6, 7):
        octets = bytes(0x41 + i for i in range(size)).hex()
        plain = encode(resolution(octets))
        variant(f, f"padding-counted-{size}", "PARAM-4-03", encode(resolution(octets), rsplib=True), resolution(octets), (), "reading A5")
        variant(f, f"padding-absent-{size}", "PARAM-4-04", plain[: 8 + size], resolution(octets), (), "choice: final padding may be missing")
        dirty = plain[: 8 + size] + b"\xff" * (-size % 4)
        variant(f, f"padding-not-zero-{size}", "PARAM-3-05 PARAM-4-04", dirty, resolution(octets))
        inner = {"type": "ASAP_DEREGISTRATION", "handle": octets, "id": 1}
        dirty = bytearray(encode(inner))
        for at in range(8 + size, 8 + size + -size % 4):
            dirty[at] = 0xEE
        variant(f, f"padding-between-not-zero-{size}", "PARAM-3-05", bytes(dirty), inner)
        good(f, f"padding-between-{size}", "PARAM-3-03 PARAM-3-04", inner)
    opaque = registration(user={"kind": "Opaque", "data": "aabbcc"}, p={"type": 0x80000001, "data": "dd"})
    good(f, "nested-padding-not-counted", "PARAM-2-02 PARAM-3-03", opaque)
    variant(f, "nested-padding-counted", "PARAM-2-02", message(1, 0, handle(POOL), padded_element(opaque["element"])), opaque, (), "reading A6")
    # Order, repetition and absence.
    AB = [handle(POOL), identifier(1)]
    for name, kind, parts, basis in [
        ("registration-empty", 1, [], AT_TOP), ("registration-only-handle", 1, [handle(POOL)], AT_TOP),
        ("registration-only-element", 1, [element(pe())], AT_TOP),
        ("registration-element-first", 1, [element(pe()), handle(POOL)], AT_TOP),
        ("registration-two-elements", 1, [handle(POOL), element(pe()), element(pe())], PLACE),
        ("deregistration-empty", 2, [], AT_TOP), ("deregistration-only-handle", 2, AB[:1], AT_TOP),
        ("deregistration-only-identifier", 2, AB[1:], AT_TOP), ("deregistration-reversed", 2, AB[::-1], AT_TOP),
        ("deregistration-two-identifiers", 2, AB + AB[1:], PLACE), ("registration-response-empty", 3, [], AT_TOP),
        ("registration-response-only-handle", 3, AB[:1], AT_TOP), ("deregistration-response-only-handle", 4, AB[:1], AT_TOP),
        ("handle-resolution-empty", 5, [], AT_TOP), ("handle-resolution-two-handles", 5, AB[:1] * 2, PLACE),
        ("handle-resolution-cookie", 5, [handle(POOL), cookie("00")], PLACE),
        ("handle-resolution-response-empty", 6, [], AT_TOP), ("keep-alive-without-handle", 7, [u32(1)], AT_TOP),
        ("keep-alive-ack-only-handle", 8, AB[:1], AT_TOP), ("unreachable-only-handle", 9, AB[:1], AT_TOP),
        ("server-announce-udp", 10, [u32(1), transport({"kind": "UDP", "port": 1, "addresses": ["192.0.2.1"]})], PLACE),
        ("server-announce-dccp", 10, [u32(1), transport({"kind": "DCCP", "port": 1, "service_code": 1, "addresses": ["192.0.2.1"]})], PLACE),
        ("server-announce-udp-lite", 10, [u32(1), transport({"kind": "UDP-Lite", "port": 1, "addresses": ["192.0.2.1"]})], PLACE),
        ("server-announce-opaque", 10, [u32(1), transport({"kind": "Opaque", "data": "00"})], PLACE),
        ("cookie-empty", 11, [], AT_TOP), ("cookie-echo-empty", 12, [], AT_TOP), ("cookie-two", 11, [cookie("00"), cookie("01")], PLACE),
        ("business-card-without-element", 13, [handle(POOL)], AT_TOP), ("business-card-without-handle", 13, [element(pe())], AT_TOP),
        ("business-card-empty", 13, [], AT_TOP),
    ]:
        requirement = {1: "ASAP-2.2.1-01", 2: "ASAP-2.2.2-01", 3: "ASAP-2.2.3-01", 4: "ASAP-2.2.4-01", 5: "ASAP-2.2.5-01",
                       6: "ASAP-2.2.6-01", 7: "ASAP-2.2.7-01", 8: "ASAP-2.2.8-01", 9: "ASAP-2.2.9-01", 10: "ASAP-2.2.10-02",
                       11: "ASAP-2.2.11-01", 12: "ASAP-2.2.12-01", 13: "ASAP-2.2.13-01"}[kind]
        discard(f, name, requirement, "ASAP", message(kind, 0, *parts), basis)
    ids = u32(1) + u32(2)
    for name, kind, parts, basis, requirement in [
        ("handle-table-response-only-handle", 3, [ids, handle(POOL)], AT_TOP, "ENRP-2.3-03"),
        ("handle-table-response-two-handles", 3, [ids, handle(POOL), handle(POOL), element(pe())], AT_TOP, "ENRP-2.3-03"),
        ("handle-table-response-only-element", 3, [ids, element(pe())], PLACE, "ENRP-2.3-03"),
        ("handle-update-without-handle", 4, [ids + u32(0), element(pe())], AT_TOP, "ENRP-2.4-01"),
        ("handle-update-without-element", 4, [ids + u32(0), handle(POOL)], AT_TOP, "ENRP-2.4-01"),
        ("list-request-with-handle", 5, [ids, handle(POOL)], PLACE, "ENRP-2.5-01"),
        ("presence-server-first", 1, [ids, server(pr()), checksum(1)], PLACE, "ENRP-2.1-01"),
        ("presence-two-checksums", 1, [ids, checksum(1), checksum(2)], PLACE, "ENRP-2.1-01"),
    ]:
        discard(f, "enrp-" + name, requirement, "ENRP", message(kind, 0, *parts), basis)
    # Our private parameter in places where it means nothing is stepped over.
    variant(f, "ports-in-handle-resolution", "PARAM-3-09", message(5, 0, handle(POOL), ports({"user": 1, "asap": 2})), resolution())
    variant(f, "ports-of-others-length", "PARAM-3-09", message(10, 0, u32(1), tlv(0xA6AB), ports({"user": 1, "asap": 0})),
            {"type": "ASAP_SERVER_ANNOUNCE", "registrar": 1, "transports": [], "ports": {"user": 1, "asap": 0}})
    for size in (0, 3, 5, 8):
        bad = tlv(0x803F, b"\1" * size)
        report(f, f"items-of-{size}", "ASAP-2.2.5-01", "ASAP", message(5, 0, handle(POOL), bad), 3, bad, INNER)


def padded_element(e):
    """A Pool Element as RSPLIB writes it: every parameter is padded before its container is closed."""
    def closed(code, *values):
        value = b"".join(padded(v) for v in values)
        return u16(code) + u16(4 + len(value)) + value
    return closed(0x0A, u32(e["id"]) + u32(e["home"]) + u32(e["life"]), transport(e["user_transport"]), policy(e["policy"]))


def checksums():
    calc = b"CalcAppPool".hex()
    sets = [
        ("nothing", []), ("calcapp-1", [(calc, 0x5562E917)]), ("calcapp-2", [(calc, 0x3775A3BD)]),
        ("calcapp-both", [(calc, 0x5562E917), (calc, 0x3775A3BD)]), ("calcapp-reversed", [(calc, 0x3775A3BD), (calc, 0x5562E917)]),
        ("sum-of-all-ones", [("ffff", 0)]), ("two-pools", [("61", 1), ("6263", 2)]), ("handle-of-5", [("6162636465", 3)]),
        ("empty-handle", [("", 0x12345678)]), ("hundred", [(calc, 0x10000 * i + i) for i in range(1, 101)]),
        ("carries", [("ffffffff", 0xFFFFFFFF)] * 1 + [("fffffffe", 0xFFFFFFFF)]),
    ]
    # Values seen on the wire between others (reading A2).
    published = {"calcapp-1": 0x8490, "calcapp-2": 0xE7D7, "calcapp-both": 0x6C68, "nothing": 0xFFFF}
    for name, elements in sets:
        assert internet_checksum(elements) == published.get(name, internet_checksum(elements))
        OWN.append({"file": "checksums", "name": name, "requirements": ["ENRP-3.6.2-01", "ENRP-3.6.2-02"],
                    "elements": [{"handle": h, "id": n} for h, n in elements], "checksum": internet_checksum(elements)})


def tcp_streams():
    """What a registrar cuts out of the octets that a user sends over TCP."""
    def cut(length, fill=0x77):
        return bytes([5, 0]) + u16(length) + bytes([fill]) * (-(-length // 4) * 4 - 4)
    def stream(name, messages, rest=b"", ends=False, basis="reading B14"):
        octets = b"".join(messages) + rest
        OWN.append({"file": "tcp-streams", "name": name, "requirements": ["ASAP-2.1-02", "ASAP-3.3-10"], "basis": basis,
                    "hex": octets.hex(), "messages": [m.hex() for m in messages], "ends": ends})
    limit = "choice: a user sends no more than 4,096 octets"
    stream("nothing", [])
    stream("one", [cut(16)])
    stream("three", [cut(16), cut(4), cut(20)])
    for length in (5, 6, 7):
        stream(f"padding-of-{8 - length}", [cut(length), cut(8)])
    stream("padding-not-zero", [cut(9, 0xFF), cut(8)])
    stream("cut-in-header", [cut(8)], cut(8)[:3])
    stream("cut-in-padding", [cut(8)], cut(9)[:11])
    stream("length-0", [cut(8)], b"\5\0\0\0", True)
    stream("length-3", [], b"\5\0\0\3" + cut(8), True)
    stream("longest", [cut(4096)], basis=limit)
    stream("too-long", [cut(8)], b"\5\0\x10\1", True, limit)


def everything():
    for part in (asap_messages, enrp_messages, transports, policies, causes, unknown, framing, checksums, tcp_streams):
        part()
    names = [(v["file"], v["name"]) for v in OWN]
    assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]
    return OWN
