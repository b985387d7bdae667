#!/usr/bin/env python3
"""Sessions that move between elements of RSPLIB and ours, with their state.

    cargo build --release -p rserpool && conformance/rsplib/services.py    # --program PATH, --json, --keep FILE

Ping pong and CalcApp, in a virtual machine with RSPLIB 3.4.4 on the SCTP of the Linux kernel: once with our registrar, once
with that of RSPLIB. In each, users of both kinds begin at an element of RSPLIB, move to one of ours when that is killed,
and to another one of RSPLIB when ours is killed. Exits with 1 unless every session goes on at each move where it was; with 2,
and one line that says why, where the machine cannot be made: it needs Debian's package sources, qemu-system-x86, cpio and
dpkg-deb. --keep writes down all that was said.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = "rsplib-registrar rsplib-services rsplib-tools librsplib3 libcpprspserver3 libsctp1 libbz2-1.0 libstdc++6 libssl3".split()
PHASES = {"ours": "our registrar", "rsplib": "RSPLIB's registrar"}


def image(cache):
    """The kernel and the root file system, made once."""
    if not (cache / "base.cpio").exists():
        cache.mkdir(parents=True, exist_ok=True)
        with open(cache / "build.log", "w") as log:
            made = subprocess.run([HERE.parent / "vm" / "build", cache, *PACKAGES], stdout=log, stderr=log)
        if made.returncode:
            (cache / "base.cpio").unlink(missing_ok=True)
            sys.exit(needs("Debian's packages: " + (cache / "build.log").read_text().strip().rsplit("\n", 1)[-1]))


def needs(what):
    print("needs " + what, file=sys.stderr)
    return 2


def boot(cache, program):
    """Runs the script in the machine; what was said, line by line."""
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        work = Path(folder)
        (work / "job").mkdir()
        shutil.copy(program, work / "job" / "rserpool")
        subprocess.run(["strip", work / "job" / "rserpool"], check=False)
        shutil.copy(HERE / "services", work / "job" / "services")
        shutil.copy(HERE / "init", work / "init")
        for file in [work / "init", work / "job" / "rserpool"]:
            file.chmod(0o755)
        names = "init\njob\njob/rserpool\njob/services\n"
        ours = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], input=names.encode(), cwd=work, capture_output=True)
        initrd = work / "initrd"
        initrd.write_bytes((cache / "base.cpio").read_bytes() + ours.stdout)
        kvm = os.environ.get("CONFORMANCE_VM_ACCEL") == "kvm"
        accelerate = ["-accel", "kvm", "-cpu", "host"] if kvm else ["-accel", "tcg,thread=multi", "-cpu", "Nehalem,+rdrand"]
        machine = [
            "qemu-system-x86_64", "-M", "q35", *accelerate, "-m", "768", "-smp", "2", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-nic", "none", "-kernel", cache / "vmlinuz", "-initrd", initrd,
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=1",
            "-serial", f"file:{cache / 'console.log'}", "-serial", "stdio",
        ]
        try:
            said = subprocess.run(machine, stdin=subprocess.DEVNULL, capture_output=True, timeout=900).stdout
        except subprocess.TimeoutExpired as late:
            said = late.stdout or b""
        return [line.split("\t", 1) for line in said.decode(errors="replace").splitlines() if "\t" in line]


def events(lines, name):
    """The JSON events that a program of ours has printed."""
    return [json.loads(text) for who, text in lines if who == name and text.startswith("{")]


def kind(element):
    return "ours" if element in (0x3002, 0x4002) else "RSPLIB"


def goes_on(before, after):
    """Whether the number of an answer follows the one before. Ours sends the cookie before the answer: if it dies between
    the two, a number is left out. RSPLIB sends it behind: then a number comes twice."""
    step = after[1] - before[1]
    if before[0] == after[0]:
        return step == 1
    return step in ({1, 2} if kind(before[0]) == "ours" else {0, 1})


def judge_pongs(pongs, who):
    """A move from RSPLIB to ours, and one back; the numbers go on."""
    pairs = list(zip(pongs, pongs[1:]))
    moved = [(before, after) for before, after in pairs if before[0] != after[0]]
    ways = [(kind(before[0]), kind(after[0])) for before, after in moved]
    row = {"who": who, "answers": len(pongs), "moves": [
        {"from": kind(before[0]), "to": kind(after[0]), "last": before[1], "next": after[1]} for before, after in moved]}
    row["right"] = ways == [("RSPLIB", "ours"), ("ours", "RSPLIB")] and all(goes_on(*pair) for pair in pairs)
    return row


def judge(lines, phase):
    rows = []
    said = events(lines, f"{phase}-pp-user")
    pongs = [(int(event["element"], 16), event["reply"]) for event in said if event.get("event") == "pong"]
    row = judge_pongs(pongs, "our ping pong user")
    summary = next((event for event in said if event.get("event") == "summary"), {})
    row["right"] &= summary.get("lost") == 0
    row["right"] &= all(event["cookie_echoed"] for event in said if event.get("event") == "failover")
    rows.append(row)

    acks = [re.search(r"from PE \$([0-9a-f]+) \(reply #(\d+)\)", text) for who, text in lines if who == f"{phase}-pp-rsplib-user"]
    rows.append(judge_pongs([(int(ack[1], 16), int(ack[2])) for ack in acks if ack], "RSPLIB's ping pong user"))

    finished = [position for position, (who, text) in enumerate(lines)
                if who == f"{phase}-calc-rsplib-user" and re.match(r"Job #\d+ completed", text)]
    script = {text: position for position, (who, text) in enumerate(lines) if who == f"{phase}-script"}
    ours_died = script.get("KILL calc-ours", len(lines))
    row = {"who": "RSPLIB's CalcApp user", "answers": len(finished), "moves": []}
    row["right"] = any(position > ours_died for position in finished)
    rows.append(row)

    said = events(lines, f"{phase}-calc-user")
    done = [event for event in said if event.get("event") == "completed"]
    ways = [event for event in said if event.get("event") == "failover"]
    row = {"who": "our CalcApp user", "answers": len(done), "took_ms": [event["took_ms"] for event in done], "moves": [
        {"from": kind(int(event["from"], 16)), "to": kind(int(event["to"], 16))} for event in ways]}
    row["right"] = len(done) == 1 and len(ways) == 2 and all(event["cookie_echoed"] for event in ways)
    rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=Path, default=None, help="the program rserpool")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, help="a file for all that was said")
    arguments = parser.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target"))
    program = arguments.program or target / "release" / "rserpool"
    for tool in ["qemu-system-x86_64", "cpio", "dpkg-deb"]:
        if not shutil.which(tool):
            return needs(tool)
    if not program.exists():
        return needs(f"{program}: cargo build --release -p rserpool")
    base = os.environ.get("CONFORMANCE_VM_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cache = Path(base) / "rserpool-rsplib-vm"
    image(cache)
    lines = boot(cache, program)
    if arguments.keep:
        arguments.keep.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    report = {phase: judge(lines, phase) for phase in PHASES}
    right = all(row["right"] for rows in report.values() for row in rows)
    if arguments.json:
        print(json.dumps({"right": right, "phases": report}, indent=2))
    else:
        for phase, rows in report.items():
            for row in rows:
                ways = ", ".join(
                    f"{move['from']} to {move['to']}" + (f" ({move['last']}, then {move['next']})" if "next" in move else "")
                    for move in row["moves"])
                took = f" after {row['took_ms'][0] / 1000:.0f} s" if row.get("took_ms") else ""
                print(f"{PHASES[phase]}, {row['who']}: {row['answers']} answered{took}; moved {ways or 'never'}: "
                      + ("right" if row["right"] else "WRONG"))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
