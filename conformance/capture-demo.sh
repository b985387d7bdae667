#!/usr/bin/env bash
# Captures the demo on the loopback device and lets Wireshark judge every packet. Fails unless every
# frame has a good SCTP checksum, none is malformed, and ASAP and ENRP are both among them.
#
# usage: conformance/capture-demo.sh [CAPTURE.pcapng]
# Needs tshark and the right to capture (root, or the wireshark group).
set -euo pipefail
cd "$(dirname "$0")/.."
capture=${1:-$(mktemp --suffix=.pcapng)}

command -v tshark >/dev/null || { echo "tshark is missing: install Wireshark's command line tools" >&2; exit 2; }
cargo build --quiet --release -p rserpool

tshark -q -i lo -f udp -w "$capture" 2>/dev/null &
sniffer=$!
trap 'kill "$sniffer" 2>/dev/null || true' EXIT
sleep 2
"${CARGO_TARGET_DIR:-target}/release/rserpool" demo --json | tail -n 1
sleep 1
kill -INT "$sniffer" && wait "$sniffer" || true

# The demo takes free UDP ports, so all of them are read as SCTP.
count() {
    tshark -r "$capture" -d udp.port==1024-65535,sctp -o "sctp.checksum:CRC 32c" -Y "$1" 2>/dev/null | wc -l
}
frames=$(count frame)
good=$(count 'sctp.checksum.status == "Good"')
asap=$(count asap)
enrp=$(count enrp)
malformed=$(count '_ws.malformed || _ws.expert.severity == "Error"')
printf '%s: %d frames, %d with a good SCTP checksum, %d with ASAP, %d with ENRP, %d malformed\n' \
    "$capture" "$frames" "$good" "$asap" "$enrp" "$malformed"
[ "$frames" -gt 0 ] && [ "$good" -eq "$frames" ] && [ "$asap" -gt 0 ] && [ "$enrp" -gt 0 ] && [ "$malformed" -eq 0 ]
