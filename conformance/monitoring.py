#!/usr/bin/env python3
"""Checks the alert rules and the dashboard against a Prometheus that scrapes real programs.

Two registrars and an element are scraped every second. What must hold:

  * Prometheus takes every answer, and loads every rule;
  * each expression of the dashboard finds something;
  * no alert is raised while all is well, and every rule asks for what somebody tells;
  * the death of an element raises an alert, and that of a registrar is about to.

usage: conformance/monitoring.py [--program PATH]
Needs prometheus (Debian: apt install prometheus). Ends with 0 if all holds, 1 if not, 2 if it cannot run here.
"""

import argparse
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
MONITORING = ROOT / "rserpool" / "monitoring"
PATIENCE_S = 30
ELEMENTS_DIE = "RserpoolElementsDie"


def free(kind):
    """A port that nobody uses."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def until(what, holds):
    """Waits until something holds, and returns it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            found = holds()
        except OSError:
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            sys.exit(f"after {PATIENCE_S} s still not so: {what}")
        time.sleep(0.2)


class Programs:
    """What was started here, and ends with this script."""

    def __init__(self, program):
        self.program, self.running = program, []

    def start(self, *command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.running.append(process)
        return process

    def rserpool(self, *arguments):
        http = free(socket.SOCK_STREAM)
        process = self.start(self.program, *arguments, "--preset", "fast", "--announce", "no", "--http", f"127.0.0.1:{http}")
        return process, f"127.0.0.1:{http}"

    def registrar(self, number, *arguments):
        udp = free(socket.SOCK_DGRAM)
        at = f"127.0.0.1:{udp}"
        process, http = self.rserpool("registrar", "--id", str(number), "--bind", at, *arguments)
        until(f"registrar {number} serves", lambda: read(f"http://{http}/readyz"))
        return process, at, http

    def element(self, number, registrar):
        process, http = self.rserpool("serve", "echo", "--id", str(number), "--bind", "127.0.0.1:0", "--registrar", registrar)
        until(f"element {number} is registered", lambda: read(f"http://{http}/readyz"))
        return process, http

    def end(self):
        for process in self.running:
            process.kill()
            process.wait()


def check(programs, folder):
    first, at, one = programs.registrar(1)
    _, _, two = programs.registrar(2, "--peer", at)
    doomed, _ = programs.element(17, at)
    _, three = programs.element(18, at)
    (folder / "prometheus.yml").write_text(f"""
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{MONITORING / 'alerts.yml'}"]
scrape_configs:
  - job_name: rserpool
    static_configs: [{{ targets: ["{one}", "{two}", "{three}"] }}]
""")
    web = f"127.0.0.1:{free(socket.SOCK_STREAM)}"
    prometheus = f"http://{web}/api/v1/"
    programs.start("prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={web}")

    def ask(path, **query):
        return json.loads(read(prometheus + path + "?" + urllib.parse.urlencode(query)))["data"]

    def found(expression):
        return ask("query", query=expression)["result"]

    def rules():
        return [rule for group in ask("rules")["groups"] for rule in group["rules"]]

    until("all three are scraped", lambda: len(found("up == 1")) == 3)
    until("every rule has been tried", lambda: rules() and all(rule["health"] == "ok" for rule in rules()))
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "10s")
            until(f"\"{panel['title']}\" finds something: {expression}", lambda: found(expression))
    raised = {rule["name"]: rule["state"] for rule in rules() if rule["state"] != "inactive"}
    if raised:
        sys.exit(f"all is well, but there are alerts: {raised}")
    known = set(re.findall(r"^# TYPE (\S+)", read(f"http://{one}/metrics") + read(f"http://{three}/metrics"), re.MULTILINE))
    for rule in rules():
        for name in re.findall(r"(?:rserpool|process)_\w+", rule["query"]):
            if name.removesuffix("_total") not in known:
                sys.exit(f"{rule['name']} asks for {name}, which nobody tells")

    def state(name):
        return next(rule["state"] for rule in rules() if rule["name"] == name)

    doomed.kill()
    until("the death of an element is an alert", lambda: state(ELEMENTS_DIE) == "firing")
    first.kill()
    until("the death of a registrar is about to be an alert", lambda: state("RserpoolDown") == "pending")
    print(f"{len(rules())} rules and {len(dashboard['panels'])} panels hold")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "target" / "debug" / "rserpool"), help="what to run")
    arguments = parser.parse_args()
    if not shutil.which("prometheus"):
        print("there is no prometheus on this machine")
        return 2
    if not pathlib.Path(arguments.program).exists():
        print(f"there is no {arguments.program}: cargo build -p rserpool")
        return 2
    programs = Programs(arguments.program)
    try:
        with tempfile.TemporaryDirectory() as folder:
            check(programs, pathlib.Path(folder))
    finally:
        programs.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
