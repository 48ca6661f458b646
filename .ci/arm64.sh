#!/usr/bin/env bash
# arm64.sh [BINARY]: proves the arm64 release on a machine of another kind, under
# qemu's user emulation: deploy, invoke, stop, restart, invoke; then the same
# after a kill, which is what a power cut looks like to a program. 39 address bits
# are what the kernel of a Raspberry Pi offers. Only 127.0.0.1 is used.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:-dist/ledge-linux-arm64}
.ci/need qemu
# shellcheck source=.ci/appliance
source .ci/appliance

if [[ $(uname -m) == aarch64 ]]; then
  ledge=("$binary")
else
  ledge=(qemu-aarch64-static "$binary")
fi
export LEDGE_ADDRESS_BITS=39
work=$(mktemp -d)
data=$work/data
cleanup() {
  stop_appliance
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

port=$(free_port)
serve=(--http "127.0.0.1:$port" --control 127.0.0.1:0)
url=http://127.0.0.1:$port
ask() { curl -fsS --max-time 60 "$@"; }

"${ledge[@]}" version --data "$data"

echo "-- deploy and invoke"
start_appliance "${serve[@]}"
"${ledge[@]}" deploy --data "$data" hello build/functions/hello.wasm --route 'GET /hello'
"${ledge[@]}" deploy --data "$data" echo build/functions/echo.wasm --route 'POST /echo' --payload raw
"${ledge[@]}" deploy --data "$data" greet build/functions/greet-extism-go.wasm --handler greet \
  --timeout 30s --route 'POST /greet' --payload raw
"${ledge[@]}" deploy --data "$data" python testdata/functions/hello-python/app.py \
  --timeout 30s --route 'GET /python/{name}' --isolation fresh | tee "$work/python.txt"
"${ledge[@]}" deploy --data "$data" javascript testdata/functions/hello-javascript/index.mjs \
  --timeout 30s --route 'GET /javascript/{name}' --isolation fresh
if grep 'was compiled for this processor' "$work/python.txt"; then
  echo 'arm64: the binary does not carry Python compiled for it' >&2
  exit 1
fi
expect "$("${ledge[@]}" invoke --data "$data" hello)" 'Hello from the edge'
expect "$(ask "$url/hello")" 'Hello from the edge'
expect "$(ask "$url/python/Ada")" '"greetings": 1'
expect "$(ask "$url/javascript/Ada")" '"greetings":1'
expect "$(ask -d 'over and out' "$url/echo")" 'over and out'
expect "$(ask -d '{"name":"Ada"}' "$url/greet")" '"calls":1'

echo "-- stop, restart and invoke"
stop_appliance
start_appliance "${serve[@]}"
expect "$("${ledge[@]}" invoke --data "$data" hello)" 'Hello from the edge'
expect "$(ask -d '{"name":"Ada"}' "$url/greet")" '"calls":2'
expect "$(ask "$url/python/Ada")" '"greetings": 2'
expect "$(ask "$url/javascript/Ada")" '"greetings":2'

echo "-- kill, restart and invoke"
stop_appliance KILL
start_appliance "${serve[@]}"
expect "$(ask "$url/hello")" 'Hello from the edge'
expect "$(ask -d '{"name":"Ada"}' "$url/greet")" '"calls":3'
expect "$(ask "$url/python/Ada")" '"greetings": 3'
stop_appliance
echo "arm64: deploy, invoke, restart, invoke: ok"
