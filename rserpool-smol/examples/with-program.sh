#!/usr/bin/env bash
# The examples of this crate with the program `rserpool`, which runs on tokio: its users and our elements
# at either registrar. Takes the folder of the binaries, for example target/debug.
set -euo pipefail
binaries=$1

log=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -r "$log"' EXIT

# Tries a command for ten seconds until it succeeds.
within_10_s() {
    for _ in {1..100}; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "in vain: $*" && tail -n 5 "$log"/*
    return 1
}

# Starts a command in the background and waits for a line of its output.
start() {
    local name=$1 line=$2
    shift 2
    "$@" >"$log/$name" 2>&1 &
    within_10_s grep -q "$line" "$log/$name"
}

address() {
    grep -o -m 1 '127\.0\.0\.1:[0-9]*' "$log/$1"
}

start theirs listens "$binaries/rserpool" registrar --bind 127.0.0.1:0 --id 0x1 --preset fast --announce no
start ours listens "$binaries/examples/smol_registrar" 127.0.0.1:0 "$(address theirs)"
start element registered "$binaries/examples/smol_echo_element" EchoPool "$(address theirs)"

for registrar in theirs ours; do
    within_10_s "$binaries/rserpool" resolve EchoPool --registrar "$(address $registrar)"
    answer=$(timeout 10 "$binaries/examples/smol_echo_user" EchoPool "$(address $registrar)" <<<'hello' | tail -n 1)
    [[ $answer == *': hello' ]] || { echo "at the registrar $registrar: $answer"; exit 1; }
done
"$binaries/rserpool" pools --registrar "$(address theirs)" --preset fast
"$binaries/rserpool" pools --registrar "$(address ours)" --preset fast
