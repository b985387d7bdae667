#!/usr/bin/env bash
# Captures the demo on the loopback device and lets Wireshark judge every packet: SCTP checksums,
# ASAP and ENRP messages. Fails on a bad checksum or a malformed frame.
#
# usage: conformance/capture-demo.sh [CAPTURE.pcapng]
# Needs tshark and the right to capture (root, or the wireshark group).
set -euo pipefail
cd "$(dirname "$0")/.."
capture=${1:-$(mktemp --suffix=.pcapng)}

command -v tshark >/dev/null || { echo "tshark is missing: install Wireshark's command line tools" >&2; exit 2; }
cargo build --quiet --release -p rserpool-tokio

tshark -q -i lo -f udp -w "$capture" 2>/dev/null &
sniffer=$!
trap 'kill "$sniffer" 2>/dev/null || true' EXIT
sleep 2
target/release/rserpool demo --json | tail -n 1
# While the program under test is gone, the registrar's tables can be asked for too.
sleep 1
kill -INT "$sniffer" && wait "$sniffer" || true

# The demo takes free UDP ports, so all of them are read as SCTP.
count() {
    tshark -r "$capture" -d udp.port==1024-65535,sctp -o sctp.checksum:CRC32C -Y "$1" 2>/dev/null | wc -l
}
frames=$(count frame)
asap=$(count asap)
bad=$(count 'sctp.checksum.status == "Bad"')
malformed=$(count '_ws.malformed || _ws.expert.severity == "Error"')
printf '%s: %d frames, %d with ASAP, %d bad checksums, %d malformed\n' \
    "$capture" "$frames" "$asap" "$bad" "$malformed"
[ "$asap" -gt 0 ] && [ "$bad" -eq 0 ] && [ "$malformed" -eq 0 ]
