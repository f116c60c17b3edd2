#!/usr/bin/env bash
# One server and three devices on real footage, on this machine. `./dev demo` starts it, after
# having installed and built what it needs.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=${here%/docker/demo}
bin=${GLEANER_BIN:-$root/build/dev/bin}
web=${GLEANER_WEB:-$root/cloud/web/dist}
devices=(cart-1 cart-2 gate-1)
min_clips=6
timeout_s=${GLEANER_DEMO_TIMEOUT_S:-180}
stop_s=15 # how long a program may take to stop

usage() {
  cat <<'EOF'
./dev demo [--once] [--state DIR]

Starts gleaner-cloud and three gleaner-edge devices on real footage: two smart carts (a hand moves a
product) and a gate (pedestrians). Prints the address of the page and runs until Ctrl-C.

  --once       from an empty state: wait until 6 clips or more, from all three devices, are indexed,
               checked and accounted for; print one JSON object as the last line of stdout; end with
               0, or with 1 and the reason after 180 seconds (GLEANER_DEMO_TIMEOUT_S)
  --state DIR  where certificates, footage, clips and logs are kept (default: .demo)
EOF
}

say() { printf '%s\n' "$*" >&2; }
blame=() # the programs whose logs tell why
die() {
  say "demo: $*"
  exit 1
}

once=false
state=$root/.demo
while [ $# -gt 0 ]; do
  case $1 in
    --once) once=true ;;
    --state)
      [ $# -ge 2 ] || die "--state wants a folder"
      state=$2
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      say "demo: there is no option '$1'"
      usage >&2
      exit 2
      ;;
  esac
  shift
done

for program in gleaner-edge gleaner-cloud gleaner-media gleaner; do
  [ -x "$bin/$program" ] || die "$bin/$program is missing; ./dev build makes it"
done
mkdir -p "$state"
state=$(cd "$state" && pwd -P)
case $state in *[\"\\\&\|]*) die "the folder's name must not hold \" \\ & or |: $state" ;; esac
if $once; then
  state=$(mktemp -d "$state/once.XXXXXX")
else
  exec 9>"$state/lock" # held by this process, however it ends
  flock -n 9 || die "another demo runs in $state; stop it, or give --state DIR"
fi
mkdir -p "$state/log" "$state/config"

# --- stopping -----------------------------------------------------------------------------------

declare -A running # process id → name

alive() { kill -0 "$1" 2>/dev/null; }

# Asks these processes to stop, and makes those that don't.
stop() {
  local pid left deadline=$((SECONDS + stop_s))
  for pid in "$@"; do kill -TERM "$pid" 2>/dev/null || true; done
  while left=false; do
    for pid in "$@"; do if alive "$pid"; then left=true; fi; done
    if ! $left || [ $SECONDS -ge $deadline ]; then break; fi
    sleep 0.1
  done
  for pid in "$@"; do
    if alive "$pid"; then
      say "demo: ${running[$pid]} did not stop within $stop_s s and was killed"
      kill -KILL "$pid" 2>/dev/null || true
    fi
    unset "running[$pid]"
  done
}

# Devices first, so that they can still hand over what they hold.
stop_all() {
  local pid edges=() server=()
  for pid in "${!running[@]}"; do
    if [ "${running[$pid]}" = cloud ]; then server+=("$pid"); else edges+=("$pid"); fi
  done
  stop "${edges[@]}"
  stop "${server[@]}"
}

on_exit() {
  local status=$? name
  trap - EXIT
  trap '' INT TERM HUP
  stop_all
  if [ $status -eq 1 ]; then
    for name in "${blame[@]}"; do
      if [ -f "$state/log/$name.log" ]; then
        say "--- $state/log/$name.log: its warnings, then its end"
        { grep -E '^[^ ]+ gleaner-[a-z]+ (warning|error|critical) ' "$state/log/$name.log" || true; } |
          tail -n 5 >&2
        say "…"
        tail -n 8 "$state/log/$name.log" >&2
      fi
    done
  elif $once; then
    rm -rf "$state"
  fi
  exit $status
}
trap on_exit EXIT
if $once; then
  trap 'exit 130' INT TERM HUP
else
  trap 'say; say "Stopping."; exit 0' INT TERM HUP
fi

# --- starting -----------------------------------------------------------------------------------

# The first port of 127.0.0.1 from $1 on where nobody listens.
free_port() {
  local port
  for ((port = $1; port < $1 + 200; ++port)); do
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  die "no free port between $1 and $(($1 + 200))"
}

# start NAME PROGRAM: with the configuration NAME.toml, as a process that ends with this one.
start() {
  sed -e "s|@STATE@|$state|g; s|@WEB@|$web|g" \
    -e "s|@GRPC_PORT@|$grpc_port|g; s|@HTTP_PORT@|$http_port|g" \
    "$here/$1.toml" >"$state/config/$1.toml"
  setsid setpriv --pdeathsig TERM "$bin/$2" --config "$state/config/$1.toml" \
    </dev/null >"$state/log/$1.log" 2>&1 9>&- &
  running[$!]=$1
}

check_alive() {
  local pid code=0
  for pid in "${!running[@]}"; do
    if ! alive "$pid"; then
      blame=("${running[$pid]}")
      wait "$pid" || code=$?
      die "${running[$pid]} has ended by itself, with $code"
    fi
  done
}

started=$SECONDS
"$here/pki.sh" "$state/tls" "${devices[@]}"
"$here/footage.sh" "$state/footage"

from=8080
if $once; then from=$((20000 + RANDOM % 10000)); fi
http_port=$(free_port "$from")
grpc_port=$(free_port $((http_port + 1)))
page=http://127.0.0.1:$http_port

start cloud gleaner-cloud
until curl -fsS --max-time 2 -o /dev/null "$page/readyz" 2>/dev/null; do
  check_alive
  if [ $((SECONDS - started)) -ge 30 ]; then
    blame=(cloud)
    die "the server does not get ready"
  fi
  sleep 0.1
done
for device in "${devices[@]}"; do start "$device" gleaner-edge; done

# --- watching -----------------------------------------------------------------------------------

# "devices clips checked failed gaps bytes devices-with-clips", as the server counts them.
summary() {
  curl -fsS --max-time 5 -H 'Content-Type: application/json' -d '{}' \
    "$page/gleaner.v1.CatalogService/GetSummary" 2>/dev/null |
    jq -r '[.devices, .clips, .mediaOk, .mediaFailed, .ledgerGaps, .bytes, (.deviceFacet | length)]
           | map(. // 0 | tonumber) | join(" ")'
}

# count N NOUN: "1 clip", "2 clips".
count() { printf '%s %s' "$1" "$2"; if [ "$1" != 1 ]; then printf s; fi; }

progress() {
  local line
  line="$(count "$clips" clip) from $(count "$senders" device), $checked checked, $(count "$gaps" 'ledger gap')"
  if [ -t 2 ]; then
    printf '\r  %s ' "$line" >&2
  elif [ "$line" != "$last_line" ]; then
    say "  $line"
  fi
  last_line=$line
}

if ! $once; then
  cat >&2 <<EOF

  Gleaner is running: one server, three devices on real footage.

    the page     $page
    the command  build/dev/bin/gleaner --server $page clips list
    the logs     $state/log/

  Clips arrive as soon as something moves, some 20 MB a minute. Ctrl-C stops everything; what
  arrived is kept in $state and is there again at the next start.

EOF
  if [ -n "${SSH_CONNECTION:-}" ]; then
    say "  From your own machine:  ssh -L $http_port:127.0.0.1:$http_port $(hostname)"
    say
  fi
fi

last_line=
while :; do
  check_alive
  if read -r seen clips checked failed gaps bytes senders < <(summary); then
    progress
    if $once && [ "$failed" -gt 0 ]; then
      blame=(cloud)
      die "$(count "$failed" clip) failed the check of the video"
    fi
    if $once && [ "$seen" -eq ${#devices[@]} ] && [ "$senders" -eq ${#devices[@]} ] &&
      [ "$clips" -ge $min_clips ] && [ "$checked" -eq "$clips" ] && [ "$gaps" -eq 0 ]; then
      break
    fi
  fi
  if $once && [ $((SECONDS - started)) -ge "$timeout_s" ]; then
    blame=(cloud "${devices[@]}")
    die "after $timeout_s s: ${last_line:-no answer from the server}; wanted $min_clips clips or more from ${#devices[@]} devices, all checked, 0 gaps"
  fi
  sleep 0.5
done

if [ -t 2 ]; then say; fi
stop_all
printf '{"devices":%d,"clips":%d,"bytes":%d,"ledger_gaps":%d,"seconds":%d}\n' \
  "$seen" "$clips" "$bytes" "$gaps" $((SECONDS - started))
