#!/usr/bin/env bash
# Three web servers of Python behind one address: none of them, and not curl either, knows anything of pools. Servers are
# killed between requests; exits with 0 only if every request was answered.
#
# Needs: python3, curl, and the program rserpool in the PATH or at $RSERPOOL. Takes about 15 s.
set -euo pipefail

rserpool=${RSERPOOL:-rserpool}
seconds=${SECONDS_TO_ASK:-10}
registrar=127.0.0.1:20001
address=127.0.0.1:20080
folder=$(mktemp -d)
started=()
end() {
    kill "${started[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -r "$folder"
}
trap end EXIT

echo "a web server that is killed" > "$folder/index.html"
"$rserpool" registrar --bind "$registrar" --id 0x1 --preset fast > "$folder/registrar.log" 2>&1 &
started+=($!)
for number in 1 2 3; do
    port=$((20080 + number))
    # It starts its server, and starts it again when it is killed.
    "$rserpool" attach --registrar "$registrar" --preset fast --pool Web --id "0x1$number" --drain 1s \
        --backend "127.0.0.1:$port" --check http:/ --check-interval 100ms --check-timeout 1s \
        -- python3 -m http.server "$port" --bind 127.0.0.1 --directory "$folder" > "$folder/attach$number.log" 2>&1 &
    started+=($!)
done
"$rserpool" proxy --registrar "$registrar" --preset fast --pool Web --listen "$address" --json --drain 1s \
    > "$folder/proxy.log" 2>&1 &
started+=($!)

# The proxy has a client wait until the pool is there.
curl --silent --fail --retry 50 --retry-connrefused --retry-delay 0 --max-time 30 \
    "http://$address/" > /dev/null
until [ "$(grep -c '"event":"pool","elements":3' "$folder/proxy.log")" -gt 0 ]; do sleep 0.1; done
echo "three servers are in the pool Web, behind http://$address/"

asked=0 failed=0 kills=0
begin=$SECONDS
next_kill=$((SECONDS + 1))
while [ $((SECONDS - begin)) -lt "$seconds" ]; do
    if [ "$SECONDS" -ge "$next_kill" ]; then
        kills=$((kills + 1))
        port=$((20081 + kills % 3))
        process=$(grep -o 'is started as process [0-9]*' "$folder/attach$((port - 20080)).log" | tail -1 | grep -o '[0-9]*$')
        # Between two requests: one in progress would be lost with its server, since the proxy does not repeat any.
        kill -KILL "$process"
        next_kill=$((SECONDS + 3))
    fi
    asked=$((asked + 1))
    curl --silent --fail --max-time 10 "http://$address/" > /dev/null || failed=$((failed + 1))
done
echo "$asked requests, $failed failed, $kills servers killed"
grep -o '"element":"0x[0-9a-f]*"' "$folder/proxy.log" | sort | uniq -c
[ "$failed" = 0 ] && [ "$kills" -gt 1 ]
