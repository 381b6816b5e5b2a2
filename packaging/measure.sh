#!/usr/bin/env bash
# What the agent costs while it has nothing to do: `packaging/measure.sh [PROGRAM]`. Prints the size of the stripped program, and its memory
# and processor time while it is linked to a relay and idle: after a minute, and once more after a full load of UPLINK_ISSUES issues.
# Without PROGRAM the agent is built as the packages build it. Exits with 1 when a bound is missed: 15 MiB each, 0.1 % of a core.
#   UPLINK_ISSUES    issues of the simulated Jira [20000]
#   UPLINK_MINUTES   minutes of each idle measure [1]
#   UPLINK_BIN       folder of relay, simulator and uplinkctl that are built already
set -euo pipefail
cd "$(dirname "$0")/.."
issues="${UPLINK_ISSUES:-20000}" minutes="${UPLINK_MINUTES:-1}"
target="${CARGO_TARGET_DIR:-target}"
program="${1:-$target/release/uplink-agent}"
bins="${UPLINK_BIN:-$target/debug}"
[ -n "${1:-}" ] || cargo build --quiet --release --package agent --bin uplink-agent
# Relay, simulator and the user's command only surround what is measured.
[ -n "${UPLINK_BIN:-}" ] || cargo build --quiet --workspace --bins
place="$(mktemp -d)" missed=0 children=()
leave() { kill "${children[@]}" 2>/dev/null || true; wait; rm -rf "$place"; }
trap leave EXIT
cp "$program" "$place/uplink-agent"
strip "$place/uplink-agent" 2>/dev/null || true
touch "$place/agent.toml"

# bound NAME VALUE LIMIT UNIT
bound() {
  local verdict=yes
  awk -v value="$2" -v limit="$3" 'BEGIN { exit !(value < limit) }' || { verdict=NO; missed=1; }
  printf '%-44s %8s %-6s under %s: %s\n' "$1" "$2" "$4" "$3" "$verdict"
}
mebibytes() { awk -v kib="$1" 'BEGIN { printf "%.1f", kib / 1024 }'; }
# wait_for FILE PATTERN
wait_for() { timeout 120 sh -c "until grep -qE '$2' '$1'; do sleep 0.2; done" || { cat "$1" >&2; exit 1; }; }
of_status() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$agent/status"; }
ticks() { awk '{ print $14 + $15 }' "/proc/$agent/stat"; }
idle() {
  local before after
  sleep 60
  before="$(ticks)"
  sleep $((minutes * 60))
  after="$(ticks)"
  bound "idle, $1: memory (RSS)" "$(mebibytes "$(of_status VmRSS)")" 15 MiB
  printf '%-44s %8s MiB, of files %s MiB\n' "  of it its own" "$(mebibytes "$(of_status RssAnon)")" "$(mebibytes "$(of_status RssFile)")"
  bound "idle, $1: processor" "$(awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v s=$((minutes * 60)) 'BEGIN { printf "%.3f", 100 * t / hz / s }')" 0.1 %
}

bound "program, stripped" "$(mebibytes $(($(stat -c %s "$place/uplink-agent") / 1024)))" 15 MiB
"$bins/jira-sim" --issues-count "$issues" --seed 5 >"$place/sim" 2>&1 & children+=($!)
"$bins/uplink-relay" run --json --data "$place/relay" --listen 127.0.0.1:0 >"$place/relay.out" 2>"$place/relay.log" & children+=($!)
wait_for "$place/relay.out" '"url"'
wait_for "$place/sim" 'http://'
relay="$(grep -oE 'https://[^"]+' "$place/relay.out" | head -n 1)"
jira="$(grep -oE 'http://127[^ ]+' "$place/sim" | head -n 1)"
ctl() { "$bins/uplinkctl" --relay "$relay" --key-file "$place/relay/admin.key" --ca "$place/relay/ca.pem" "$@"; }
ctl pool create sales >/dev/null
ctl uplink create hq --token-only >"$place/token"
agent_command=("$place/uplink-agent" --state "$place/state" --config "$place/agent.toml")
"${agent_command[@]}" enroll --relay "$relay" --token-file "$place/token" --relay-ca "$place/relay/ca.pem" --allow-jira "$jira" >/dev/null
"${agent_command[@]}" run >"$place/agent.log" 2>&1 & agent=$! && children+=($!)
wait_for "$place/relay.log" 'agent_online'
idle "linked for a minute"
printf 'reader-password' |
  ctl connection create jira --pool sales --uplink hq --url "$jira" --username reader --password-stdin --max-parallel 4 >/dev/null
ctl extract jira --full --follow >"$place/run" || { tail -n 5 "$place/run" >&2; exit 1; }
printf '%-44s %8s MiB\n' "while it loaded $issues issues: peak" "$(mebibytes "$(of_status VmHWM)")"
idle "a minute after that load"
exit "$missed"
