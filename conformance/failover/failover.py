#!/usr/bin/env python3
"""What becomes of a service when one of its servers fails: pools beside HAProxy, keepalived and leases of etcd.

A client asks every 20 ms. Then something happens to the server that answers:

  kill     its process is killed
  freeze   its process is stopped (SIGSTOP)
  cable    all packets to and from its host get lost
  refused  its host turns all packets away (ICMP port unreachable, TCP reset)
  loss     30 % of the packets to and from its host get lost
  busy     two endless loops run beside it

For each: how long it takes until the server is no longer chosen ("noticed"), the longest that a request took that fell
into it ("gap"), and how many requests never had an answer ("lost"). With `loss` and `busy` the server is still there, and
whoever goes elsewhere is wrong ("moved"). Packets are those to and from the three servers when nobody asks.

usage: conformance/failover/failover.py [--rounds 30] [--system NAME ..] [--fault NAME ..] [--json FILE] [--program PATH]
Needs root, iproute2 and nftables, and haproxy, keepalived and etcd for what is measured beside ours: what is not installed is
left out and named. Ends with 0 if all could be measured, 1 if not, 2 if it cannot run here. Thirty rounds of one system take
5 to 20 minutes; each line comes as soon as it is known.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time

import network
from systems import systems

REST_S = 3.0
SETTLE_S = 1.0
# Longer than the slowest that is expected to be noticed: rfc, 10 s.
PATIENCE_S = 14.0
SHORT_S = 3.0


def measure_fault(system, net, asker, fault):
    """One round; what was seen, in seconds."""
    host = asker.serving
    processes = system.processes[host]
    begin = time.monotonic()
    fault(net, host, processes)
    harmless = fault in network.HARMLESS
    end = begin + (SHORT_S if harmless else PATIENCE_S)
    while time.monotonic() < end:
        time.sleep(0.05)
        elsewhere = asker.serving != host and time.monotonic() - begin > 1.0
        if not harmless and elsewhere and system.gone_since(host, begin):
            break
    moved, until = asker.serving != host, time.monotonic()
    network.heal(net, host, processes)
    system.restore(host)
    time.sleep(SETTLE_S)
    gone = system.gone_since(host, begin)
    seen = {"gap_s": asker.gap(begin, until), "moved": moved, "noticed_s": gone and gone - begin}
    if system.found[host]:
        # The server has to be back before the next one fails.
        network.wait_for(lambda: system.is_there(host), 60, f"server {host} back")
    return seen


def measure_system(make, faults, rounds, tell):
    """All faults of one system; a row for each."""
    net, rows = network.Network(), []
    try:
        system = make(net)
        time.sleep(SETTLE_S)
        before, begin = net.packets(), time.monotonic()
        time.sleep(REST_S)
        at_rest = (net.packets() - before) / (time.monotonic() - begin)
        asker = system.client()
        network.wait_for(lambda: asker.serving is not None, 20, "an answer")
        for fault in faults:
            seen = [measure_fault(system, net, asker, fault) for _ in range(rounds)]
            asker.quiet.set()
            time.sleep(PATIENCE_S if asker.unanswered() else 0)
            lost = asker.unanswered()
            asker.asked, asker.answered = {}, {}
            asker.quiet.clear()
            time.sleep(0.5)
            rows.append(row(fault.__name__, seen, lost, at_rest))
            tell(rows[-1])
        asker.over.set()
    finally:
        net.end()
    return rows


def row(fault, seen, lost, at_rest):
    noticed = [one["noticed_s"] for one in seen if one["noticed_s"] is not None]
    return {"fault": fault, "rounds": len(seen), "noticed_ms": times(noticed), "never_noticed": len(seen) - len(noticed),
            "gap_ms": times([one["gap_s"] for one in seen]), "moved": sum(one["moved"] for one in seen), "lost": lost,
            "packets_at_rest_per_s": round(at_rest, 1)}


def times(seconds):
    if not seconds:
        return None
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {"median": round(statistics.median(ordered) * 1e3, 1), "p95": round(p95 * 1e3, 1), "max": round(ordered[-1] * 1e3, 1)}


def line(name, row):
    def shown(figures):
        return f"{figures['median']:8.1f} {figures['p95']:8.1f}" if figures else "       -        -"

    return (f"{name:17} {row['fault']:8} noticed {shown(row['noticed_ms'])}  gap {shown(row['gap_ms'])}  "
            f"moved {row['moved']:2} of {row['rounds']:2}  lost {row['lost']:3}  {row['packets_at_rest_per_s']:7.1f} packets/s")


def main():
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--system", action="append", help="rserpool, haproxy, keepalived, etcd, or a whole name")
    options.add_argument("--fault", action="append", choices=[fault.__name__ for fault in network.FAULTS])
    options.add_argument("--json", metavar="FILE")
    options.add_argument("--program", default=os.path.join(target, "release", "rserpool"))
    options = options.parse_args()
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"):
        print("failover: needs root, iproute2 and nftables", file=sys.stderr)
        return 2
    program = os.path.abspath(options.program)
    if not os.path.exists(program):
        print(f"failover: {program} is missing: cargo build --release -p rserpool", file=sys.stderr)
        return 2
    faults = [fault for fault in network.FAULTS if not options.fault or fault.__name__ in options.fault]
    found, failed = {}, 0
    print("milliseconds: median and 95th percentile")
    for name, make in systems(program).items():
        kind = name.split()[0]
        if options.system and name not in options.system and kind not in options.system:
            continue
        if kind != "rserpool" and not shutil.which(kind):
            print(f"{name:17} is not installed")
            continue
        try:
            found[name] = measure_system(make, faults, options.rounds, lambda row, name=name: print(line(name, row), flush=True))
        except (network.CannotRun, TimeoutError) as reason:
            print(f"{name:17} could not be measured: {reason}", flush=True)
            failed = 1
        if options.json:
            with open(options.json, "w") as file:
                json.dump({"rounds": options.rounds, "interval_ms": 20, "systems": found}, file, indent=2)
    return failed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
