#!/usr/bin/env bash
# Builds a pool element without std, runs it, and prints what code and heap it takes:
# `name octets limit` on each line. Ends with 1 if the script in it fails or a limit is exceeded.
#
# Code is what is linked into .text and .rodata; memcpy and its like come from the C library and are
# missing, except on the bare Cortex-M4, for which the same program is linked if the target is installed
# (`rustup target add thumbv7em-none-eabi`). Heap includes the element itself, which is boxed.
set -euo pipefail
cd "$(dirname "$0")"

code_limit=$((100 * 1024))
heap_limit=$((4 * 1024))
association_limit=128
failed=0

figure() {
    local verdict=""
    if [[ -n "${3:-}" ]] && (($2 > $3)); then verdict="  EXCEEDED" failed=1; fi
    printf '%-28s %7d  %s\n' "$1" "$2" "${3:+of $3}$verdict"
}

code() {
    size -A "$1" | awk '$1 == ".text" || $1 == ".rodata" { sum += $2 } END { print sum }'
}

built=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release --locked
figure code "$(code "$built/release/element")" "$code_limit"
bare=thumbv7em-none-eabi
if [[ -d "$(rustc --print target-libdir --target "$bare")" ]]; then
    cargo build --quiet --release --locked --target "$bare"
    figure "code-$bare" "$(code "$built/$bare/release/element")" "$code_limit"
fi

# The status is the number of the step in src/script.rs that went wrong.
figures=$("$built/release/element") || { echo "step $? of the script went wrong"; exit 1; }
while read -r name octets; do
    case $name in
        heap-peak) figure "$name" "$octets" "$heap_limit" ;;
        heap-per-association) figure "$name" "$octets" "$association_limit" ;;
        *) figure "$name" "$octets" ;;
    esac
done <<< "$figures"
exit "$failed"
