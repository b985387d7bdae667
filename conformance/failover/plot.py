#!/usr/bin/env python3
"""Draws what failover.py has measured: for each fault and system the longest request, and the packets at rest. Prints the
same as a table in Markdown, with the time until the server was no longer chosen.

usage: conformance/failover/plot.py OUT.svg FILE.json ..

The files are those of `failover.py --json`; systems may be spread over several. A system with a fault that occurs twice
counts with the last file. Needs matplotlib.
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402  (the backend comes first)

matplotlib.rcParams.update({"svg.hashsalt": "failover", "svg.fonttype": "none", "font.size": 9})

TITLES = {
    "kill": "killed", "freeze": "frozen", "cable": "cable pulled", "refused": "turned away",
    "loss": "30 % of the packets lost", "busy": "busy processors",
}
OURS, OTHERS = "#0b6e4f", "#8a8a8a"


def read(paths):
    """Rows by system and fault, in the order of the files."""
    found = {}
    for path in paths:
        with open(path) as file:
            for system, rows in json.load(file)["systems"].items():
                found.setdefault(system, {}).update({row["fault"]: row for row in rows})
    return found


def panel(axes, title, systems, values):
    """A line for each system: a dot at the median, a tick at the 95th percentile."""
    for place, (system, value) in enumerate(zip(systems, values)):
        if value is None:
            axes.text(0.98, place, "not measured", transform=axes.get_yaxis_transform(), ha="right", va="center", color=OTHERS)
            continue
        median, p95 = value
        colour = OURS if system.startswith("rserpool") else OTHERS
        axes.plot([median, p95], [place, place], color=colour, linewidth=1.5)
        axes.plot([median], [place], marker="o", color=colour)
        axes.plot([p95], [place], marker="|", color=colour)
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xscale("log")
    axes.set_yticks(range(len(systems)), systems)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)


def table(found):
    def cell(row):
        if row is None:
            return "-"
        gap, noticed = (row[key] and f"{row[key]['median']:,.0f} ({row[key]['p95']:,.0f})" for key in ("gap_ms", "noticed_ms"))
        return f"{gap}; {noticed}" if noticed else gap

    print("| | " + " | ".join(TITLES.values()) + " | packets a second |")
    print("|---" * (len(TITLES) + 2) + "|")
    for system, rows in found.items():
        cells = [cell(rows.get(fault)) for fault in TITLES]
        print(f"| {system} | {' | '.join(cells)} | {next(iter(rows.values()))['packets_at_rest_per_s']:,.0f} |")


def main(out, *paths):
    found = read(paths)
    table(found)
    systems = list(found)
    figure, panels = pyplot.subplots(4, 2, figsize=(8.5, 10.5), sharey=True, layout="constrained")
    places = panels.flat
    for fault, title in TITLES.items():
        axes = next(places)
        rows = [found[system].get(fault) for system in systems]
        panel(axes, title, systems, [row and (row["gap_ms"]["median"], row["gap_ms"]["p95"]) for row in rows])
        axes.set_xlim(1, 20_000)
        axes.set_xlabel("longest request, ms", fontsize=8)
    axes = next(places)
    rest = [next(iter(found[system].values()))["packets_at_rest_per_s"] for system in systems]
    panel(axes, "what it costs when nobody asks", systems, [(packets, packets) for packets in rest])
    axes.set_xlabel("packets a second, three servers", fontsize=8)
    for unused in places:
        unused.set_visible(False)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__.split("\n\n")[1])
    main(*sys.argv[1:])
