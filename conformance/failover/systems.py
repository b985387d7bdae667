"""What keeps a service alive: pools, and what people use instead."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from client import PIPES, OfPool, OfTcp, in_namespace
from network import CLIENT, PORT, SERVERS, address, wait_for

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.py")


class System:
    """A client, servers, and what stands between them."""

    def __init__(self, network):
        self.network, self.processes, self.folder = network, {}, tempfile.mkdtemp(prefix="failover-")
        # When each server was found to be there, and to be gone, in turns.
        self.found = {host: [] for host in SERVERS}

    def note(self, host, is_there):
        """A server is found to be there, or gone."""
        if self.is_there(host) != is_there:
            self.found[host].append(time.monotonic())

    def is_there(self, host):
        return len(self.found[host]) % 2 == 1

    def gone_since(self, host, begin):
        """When a server was first found to be gone after a time."""
        return next((at for at in self.found[host][1::2] if at > begin), None)

    def all_are_there(self):
        return all(self.is_there(host) for host in SERVERS)

    def start_server(self, host):
        words = [sys.executable, SERVER, str(host), str(PORT), *self.server_options()]
        self.processes[host] = [self.network.start(host, *words, stderr=open(f"{self.folder}/server{host}.log", "wb"))]

    def server_options(self):
        return []

    def restore(self, host):
        """Starts again what has died at a host."""
        if any(process.poll() is not None for process in self.processes[host]):
            for process in self.processes[host]:
                process.kill()
                process.wait()
            self.start_server(host)

    def log(self, name):
        return open(os.path.join(self.folder, name), "wb")


class Pool(System):
    """Ours, with the timers of a preset."""

    def __init__(self, network, program, preset):
        super().__init__(network)
        self.program, self.preset = program, preset
        self.registrar = f"{address(CLIENT)}:9899"
        network.start(CLIENT, program, "registrar", "--bind", self.registrar, "--announce", "no", "--preset", preset,
                      stdout=self.log("registrar.log"), stderr=self.log("registrar.err"))
        time.sleep(0.5)
        for host in SERVERS:
            self.start_server(host)
        watch = network.start(CLIENT, program, "watch", "pool", "--registrar", self.registrar, "--preset", preset, "--json", **PIPES)
        threading.Thread(target=self.watch, args=(watch,), daemon=True).start()
        wait_for(self.all_are_there, 20, "three elements")

    def start_server(self, host):
        words = [self.program, "serve", "echo", "--pool", "pool", "--id", hex(host), "--registrar", self.registrar,
                 "--bind", f"{address(host)}:9899", "--preset", self.preset]
        self.processes[host] = [self.network.start(host, *words, stdout=self.log(f"element{host}.log"), stderr=self.log(f"element{host}.err"))]

    def client(self):
        words = [self.program, "connect", "pool", "--registrar", self.registrar, "--bind", address(CLIENT) + ":0", "--preset", self.preset, "--json"]
        return OfPool(self.network.start(CLIENT, *words, **PIPES), lambda element: int(element, 16))

    def watch(self, process):
        """What a subscribed user of the pool is told."""
        for line in process.stdout:
            elements = json.loads(line).get("pool", {}).get("elements", [])
            listed = {int(element["id"], 16) for element in elements}
            for host in SERVERS:
                self.note(host, host in listed)


class HAProxy(System):
    """HAProxy, which asks each server for a line every so many milliseconds, and ends the connections of one that is down."""

    def __init__(self, network, interval_ms):
        super().__init__(network)
        for host in SERVERS:
            self.start_server(host)
        patience = max(interval_ms, 10)
        servers = "\n".join(
            f"  server s{host} {address(host)}:{PORT} check inter {interval_ms}ms fall 1 rise 2 on-marked-down shutdown-sessions"
            for host in SERVERS)
        path = os.path.join(self.folder, "haproxy.cfg")
        with open(path, "w") as file:
            file.write(f"""global
  maxconn 1000
defaults
  mode tcp
  timeout connect 200ms
  timeout check {patience}ms
  timeout client 1m
  timeout server 1m
  retries 3
  option redispatch 1
listen pool
  bind {address(CLIENT)}:{PORT}
  option tcp-check
  tcp-check send 0\\n
  tcp-check expect string 0
{servers}
""")
        proxy = network.start(CLIENT, "haproxy", "-db", "-f", path, stdout=PIPES["stdout"], stderr=self.log("haproxy.err"), text=True)
        threading.Thread(target=self.watch, daemon=True).start()
        self.proxy = proxy
        for host in SERVERS:
            self.note(host, True)
        time.sleep(1)

    def watch(self):
        """HAProxy tells on its standard error output which server is down or up."""
        with open(f"{self.folder}/haproxy.err", errors="replace") as file:
            while True:
                line = file.readline()
                if not line:
                    time.sleep(0.0005)
                    continue
                for host in SERVERS:
                    if f"Server pool/s{host} is " in line:
                        self.note(host, f"Server pool/s{host} is UP" in line)

    def client(self):
        return OfTcp(self.network, CLIENT, lambda: (address(CLIENT), PORT))


class Keepalived(System):
    """Two hosts with one address by VRRP, advertised every so many seconds. A host dies with its server."""

    VIRTUAL = "10.78.0.100"

    def __init__(self, network, interval_s):
        super().__init__(network)
        self.interval_s = interval_s
        for host in SERVERS[:2]:
            self.start_server(host)
        time.sleep(2)

    def start_server(self, host):
        super().start_server(host)
        path = os.path.join(self.folder, f"keepalived{host}.conf")
        with open(path, "w") as file:
            file.write(f"""global_defs {{
  vrrp_version 3
}}
vrrp_instance pool {{
  state BACKUP
  interface eth0
  virtual_router_id 7
  priority {200 - host}
  advert_int {self.interval_s}
  virtual_ipaddress {{
    {self.VIRTUAL}/24
  }}
}}
""")
        # A host that dies loses its addresses.
        subprocess.run(["ip", "-n", self.network.name(host), "addr", "del", f"{self.VIRTUAL}/24", "dev", "eth0"],
                       check=False, capture_output=True)
        words = ["keepalived", "-n", "-l", "-P", "-f", path, "-p", f"{self.folder}/k{host}.pid", "-r", f"{self.folder}/v{host}.pid"]
        self.processes[host].append(self.network.start(host, *words, stdout=self.log(f"k{host}.log"), stderr=self.log(f"k{host}.err")))

    def client(self):
        return OfTcp(self.network, CLIENT, lambda: (self.VIRTUAL, PORT))


class Etcd(System):
    """Servers with a lease of a second, which etcd makes two; clients watch, and go to the next one."""

    def __init__(self, network):
        super().__init__(network)
        place = f"http://{address(CLIENT)}:2379"
        self.etcd = network.start(CLIENT, "etcd", "--data-dir", f"{self.folder}/data", "--listen-client-urls", place,
                                  "--advertise-client-urls", place, stdout=self.log("etcd.log"), stderr=self.log("etcd.err"))
        time.sleep(2)
        for host in SERVERS:
            self.start_server(host)
        threading.Thread(target=self.watch, daemon=True).start()
        wait_for(self.all_are_there, 20, "three servers")

    def server_options(self):
        return [f"{address(CLIENT)}:2379"]

    def watch(self):
        begin, end = (base64.b64encode(key).decode() for key in (b"pool/", b"pool0"))
        body = json.dumps({"create_request": {"key": begin, "range_end": end, "start_revision": 1}}).encode()
        request = urllib.request.Request(f"http://{address(CLIENT)}:2379/v3/watch", body)
        # A connection remembers the namespace in which it was made.
        stream = in_namespace(self.network.name(CLIENT), lambda: urllib.request.urlopen(request))
        for line in stream:
            for event in json.loads(line)["result"].get("events", []):
                host = int(base64.b64decode(event["kv"]["key"]).decode().split("/")[1])
                self.note(host, event.get("type") != "DELETE")

    def client(self):
        return OfLeases(self)


class OfLeases(OfTcp):
    """A client that goes to servers with a lease, in turns, and leaves one that has lost its lease."""

    def __init__(self, system):
        self.system, self.turn, self.host_now = system, 0, None
        super().__init__(system.network, CLIENT, self.next_place)

    def next_place(self):
        listed = [host for host in SERVERS if self.system.is_there(host)] or list(SERVERS)
        self.turn += 1
        self.host_now = listed[self.turn % len(listed)]
        return address(self.host_now), PORT

    def must_leave(self):
        return not self.system.is_there(self.host_now)


def systems(program):
    """By name; each is made with a network."""
    made = {f"rserpool {preset}": (lambda network, preset=preset: Pool(network, program, preset)) for preset in ("rfc", "fast", "rack")}
    for interval in (1, 10, 100):
        made[f"haproxy {interval} ms"] = lambda network, interval=interval: HAProxy(network, interval)
    made["keepalived 10 ms"] = lambda network: Keepalived(network, 0.01)
    made["keepalived 1 s"] = lambda network: Keepalived(network, 1)
    made["etcd lease"] = Etcd
    return made

