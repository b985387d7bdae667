#!/usr/bin/env python3
"""A server for those who know no pools: answers each line with itself and its own number. With an address of etcd, it
keeps a lease there under its number.

usage: server.py NUMBER PORT [ETCD]"""

import base64
import json
import socketserver
import sys
import threading
import time
import urllib.request

number, port = int(sys.argv[1]), int(sys.argv[2])


def ask(what, **fields):
    body = json.dumps(fields).encode()
    with urllib.request.urlopen(urllib.request.Request(f"http://{sys.argv[3]}/v3/{what}", body), timeout=1) as answer:
        return json.loads(answer.read().splitlines()[0])


def lease():
    """A lease of a second, which etcd makes two; renewed three times a second."""
    while True:
        try:
            granted = ask("lease/grant", TTL=1)["ID"]
            key = base64.b64encode(f"pool/{number}".encode()).decode()
            ask("kv/put", key=key, value=key, lease=granted)
            while int(ask("lease/keepalive", ID=granted)["result"].get("TTL", 0)) > 0:
                time.sleep(0.33)
        except OSError:
            time.sleep(0.1)


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            try:
                self.wfile.write(line.rstrip(b"\n") + f" {number}\n".encode())
            except OSError:
                return


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128


if len(sys.argv) > 3:
    threading.Thread(target=lease, daemon=True).start()
Server(("", port), Echo).serve_forever()
