#!/usr/bin/env python3
"""Writes conformance/vectors/*.toml, and with --check only compares.

usage: python3 conformance/generator/generate.py [--check]

Needs Python 3.9 and nothing else.
"""

import sys
from pathlib import Path

import codec
from catalogue import everything

VECTORS = Path(__file__).parent.parent / "vectors"


def value(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return str(v)
    if isinstance(v, str):
        assert '"' not in v and "\\" not in v, v
        return f'"{v}"'
    if isinstance(v, list):
        return "[" + ", ".join(value(each) for each in v) + "]"
    return "{ " + ", ".join(f"{key} = {value(each)}" for key, each in v.items()) + " }"


def entry(v):
    lines = ["[[vector]]"]
    for key, each in v.items():
        if key not in ("file", "message"):
            lines.append(f"{key} = {value(each)}")
    if "message" in v:
        lines.append("[vector.message]")
        lines += [f"{key} = {value(each)}" for key, each in v["message"].items()]
    return "\n".join(lines) + "\n"


def rsplib():
    """The captured messages of RSPLIB, read by the independent decoder."""
    for line in (VECTORS / "rsplib-3.4.4.txt").read_text().splitlines():
        name, protocol, octets = line.split()
        message = codec.decode(protocol, bytes.fromhex(octets))
        assert codec.encode(message, rsplib=True).hex() == octets, name
        yield {"file": "rsplib-3.4.4", "name": name, "origin": "RSPLIB 3.4.4, captured between its programs",
               "requirements": [], "protocol": protocol, "hex": octets, "expect": "accept", "canonical": False,
               "message": message}


def main():
    files = {}
    for v in everything() + list(rsplib()):
        files.setdefault(v["file"], []).append(v)
    different = 0
    for name, vectors in files.items():
        head = f"# Written by conformance/generator; see README.md here. {len(vectors)} vectors.\n\n"
        text = head + "\n".join(entry(v) for v in vectors)
        path = VECTORS / f"{name}.toml"
        if not path.exists() or path.read_text() != text:
            different += 1
            if "--check" in sys.argv:
                print(f"{path.name} is not what the generator writes")
            else:
                path.write_text(text)
        print(f"{len(vectors):5} {name}")
    print(f"{sum(map(len, files.values())):5} in all")
    return 1 if different and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
