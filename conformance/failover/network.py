"""Hosts as network namespaces at one switch, and what can happen to a host."""

import contextlib
import os
import signal
import subprocess
import time

CLIENT = 0
SERVERS = (1, 2, 3)
PORT = 7000


class CannotRun(Exception):
    """This machine lacks something."""


def command(*words, text=None):
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotRun(f"`{' '.join(words)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def address(host):
    return f"10.78.0.{host + 10}"


class Network:
    """A client and three servers. Processes that are started in it end with it."""

    def __init__(self):
        self.prefix, self.started = f"rsp{os.getpid()}", []
        self.switch = self.prefix + "switch"
        command("ip", "netns", "add", self.switch)
        command("ip", "-n", self.switch, "link", "add", "bridge", "type", "bridge")
        command("ip", "-n", self.switch, "link", "set", "bridge", "up")
        for host in (CLIENT, *SERVERS):
            name = self.name(host)
            command("ip", "netns", "add", name)
            command("ip", "-n", name, "link", "set", "lo", "up")
            command("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{host}", "netns", self.switch)
            command("ip", "-n", self.switch, "link", "set", f"port{host}", "master", "bridge", "up")
            command("ip", "-n", name, "addr", "add", address(host) + "/24", "dev", "eth0")
            command("ip", "-n", name, "link", "set", "eth0", "up")

    def name(self, host):
        return f"{self.prefix}host{host}"

    def start(self, host, *words, **options):
        """A process at a host; `ip netns exec` becomes the program, so signals reach it."""
        process = subprocess.Popen(["ip", "netns", "exec", self.name(host), *words], **options)
        self.started.append(process)
        return process

    def rule(self, host, verdict):
        """All that comes to this host, but for its own, meets this verdict of nftables; so does what leaves it, if it is a
        matter of getting lost."""
        chains = [f"chain in {{ type filter hook input priority 0; iifname != lo {verdict}; }}"]
        if "drop" in verdict:
            chains.append(f"chain out {{ type filter hook output priority 0; oifname != lo {verdict}; }}")
        rules = "\n".join(["table inet fault {", *chains, "}\n"])
        command("ip", "netns", "exec", self.name(host), "nft", "-f", "-", text=rules)

    def no_rule(self, host):
        command("ip", "netns", "exec", self.name(host), "nft", "flush", "ruleset")

    def packets(self):
        """Packets to and from all servers so far."""
        total = 0
        for host in SERVERS:
            lines = command("ip", "-n", self.switch, "-s", "link", "show", f"port{host}").splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.strip()[:1].isdigit() and ":" not in line)
        return total

    def end(self):
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        for host in (CLIENT, *SERVERS):
            subprocess.run(["ip", "netns", "del", self.name(host)], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.switch], check=False, capture_output=True)


# What happens to a server, and how it is undone. `processes` are those that die with it.

def kill(network, host, processes):
    for process in processes:
        process.kill()


def freeze(network, host, processes):
    for process in processes:
        process.send_signal(signal.SIGSTOP)


def cable(network, host, processes):
    network.rule(host, "drop")


def refused(network, host, processes):
    """Whatever comes is turned away, as by a host on which nobody listens any more."""
    network.rule(host, "meta l4proto tcp reject with tcp reset; iifname != lo meta l4proto udp reject")


def loss(network, host, processes):
    network.rule(host, "numgen random mod 100 < 30 drop")


def busy(network, host, processes):
    """As many endless loops as there are cores, beside the server."""
    for _ in range(os.cpu_count() or 1):
        network.start(host, "timeout", "4", "sh", "-c", "while :; do :; done")


FAULTS = [kill, freeze, cable, refused, loss, busy]
# After these the server is still there: going elsewhere is a false alarm.
HARMLESS = (loss, busy)


def heal(network, host, processes):
    network.no_rule(host)
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} within {seconds} s")
        time.sleep(0.01)
