#!/usr/bin/env bash
# One server and three devices on real footage, on this machine. `./dev demo` starts it, after
# having installed and built what it needs.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=${here%/docker/demo}
bin=${GLEANER_BIN:-$root/build/dev/bin}
web=${GLEANER_WEB:-$root/cloud/web/dist}
models=${GLEANER_MODELS:-$root/third_party/models/made}
devices=(cart-1 cart-2 gate-1)
min_clips=6
timeout_s=${GLEANER_DEMO_TIMEOUT_S:-180}
stop_s=15 # how long a program may take to stop
schema=things
run=demo # what the selection and the dataset are called
budget=20

usage() {
  cat <<'EOF'
./dev demo [--once] [--clips-only] [--state DIR]

Starts gleaner-cloud and three gleaner-edge devices on real footage: two smart carts (a hand moves a
product) and a gate (pedestrians). A model draws what it sees on their frames; once, 20 frames are chosen,
a scripted reviewer corrects them, and they are frozen as a dataset and exported as COCO. Prints the
address of the page and runs until Ctrl-C.

  --once       from an empty state: wait until 6 clips or more, from all three devices, are indexed,
               checked and accounted for, and the dataset is there; print one JSON object as the last
               line of stdout; end with 0, or with 1 and the reason after 180 seconds
               (GLEANER_DEMO_TIMEOUT_S)
  --clips-only no model, no reviewer, no dataset: clips only
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
clips_only=false
state=$root/.demo
while [ $# -gt 0 ]; do
  case $1 in
    --once) once=true ;;
    --clips-only) clips_only=true ;;
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

programs=(gleaner-edge gleaner-cloud gleaner-media gleaner)
if ! $clips_only; then programs+=(gleaner-model); fi
for program in "${programs[@]}"; do
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
  shut_out
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

# --- who is let in ------------------------------------------------------------------------------

gleaner() { "$bin/gleaner" "$@"; }

# The reviewer gets a token of its own, as reviewers do. The first token is an admin's, and as long as there are any nobody comes in
# without one: both are revoked when it has done its work, and the page is open to this machine again.
let_in() {
  (umask 077 && gleaner tokens create demo --role admin >"$state/token" 2>>"$state/log/dataset.log")
  GLEANER_TOKEN=$(<"$state/token")
  export GLEANER_TOKEN
}

shut_out() {
  local name
  [ -s "$state/token" ] || return 0
  for name in script-reviewer demo; do
    GLEANER_TOKEN=$(<"$state/token") gleaner tokens revoke "$name" >/dev/null 2>&1 || true
  done
  rm -f "$state/token"
  unset GLEANER_TOKEN
}

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

# start NAME PROGRAM [FILE…]: with the configuration NAME.toml and what these files add, as a process that ends with this one.
start() {
  local file files=("$here/$1.toml")
  for file in "${@:3}"; do files+=("$here/$file"); done
  sed -e "s|@STATE@|$state|g; s|@WEB@|$web|g; s|@MODELS@|$models|g" \
    -e "s|@GRPC_PORT@|$grpc_port|g; s|@HTTP_PORT@|$http_port|g" \
    "${files[@]}" >"$state/config/$1.toml"
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

with_model=()
if ! $clips_only; then
  if [ -s "$models/objectron.onnx" ] && [ -s "$models/objectron.labels" ]; then
    with_model=(model.toml)
  else
    say "demo: no model in $models (./dev setup models makes it): frames come without predictions"
  fi
fi
start cloud gleaner-cloud "${with_model[@]}"
until curl -fsS --max-time 2 -o /dev/null "$page/readyz" 2>/dev/null; do
  check_alive
  if [ $((SECONDS - started)) -ge 30 ]; then
    blame=(cloud)
    die "the server does not get ready"
  fi
  sleep 0.1
done
export GLEANER_SERVER=$page
unset GLEANER_TOKEN # another server's
if ! $clips_only; then
  shut_out # a demo that was killed while its reviewer worked
  gleaner label schema create "$schema" --kind boxes --class box --class bottle --class person >/dev/null
fi
for device in "${devices[@]}"; do start "$device" gleaner-edge; done

# --- watching -----------------------------------------------------------------------------------

# "devices clips checked failed gaps bytes devices-with-clips", as the server counts them.
summary() {
  curl -fsS --max-time 5 -H 'Content-Type: application/json' -d '{}' \
    "$page/gleaner.v1.CatalogService/GetSummary" 2>/dev/null |
    jq -r '[.devices, .clips, .mediaOk, .mediaFailed, .ledgerGaps, .bytes, (.deviceFacet | length)]
           | map(. // 0 | tonumber) | join(" ")'
}

# Of how many clips the model has seen the frames.
looked_at() {
  curl -fsS --max-time 5 -H 'Content-Type: application/json' \
    -d '{"kinds": ["model-objectron"], "states": ["STATE_DONE"], "pageSize": 500}' \
    "$page/gleaner.v1.JobsService/ListJobs" 2>/dev/null | jq -s '.[0].jobs | length'
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

# --- from clips to a dataset --------------------------------------------------------------------

# frames FILTER: how many there are.
frames() { gleaner frames count --filter "$1" --by device --json | jq '.frames // 0'; }

# part SECONDS COMMAND…: what it says is in the log; it can be stopped as all else.
part() {
  local pid status=0
  printf '$ %s\n' "${*:2}" >>"$state/log/dataset.log"
  timeout "$1" "${@:2}" </dev/null >"$state/part" 2>>"$state/log/dataset.log" 9>&- &
  pid=$!
  running[$pid]=${2##*/}
  wait "$pid" || status=$?
  unset "running[$pid]"
  cat "$state/part" >>"$state/log/dataset.log"
  if [ $status -ne 0 ]; then
    blame=(dataset cloud)
    die "${*:2:3}… has ended with $status"
  fi
}

# Selection, review, freeze and export, each by what anybody may call. Leaves what the last line of --once says in $made.
make_dataset() {
  local left=$((timeout_s - SECONDS + started)) set_number picked did
  if ! $once; then left=600; fi
  if [ "$left" -lt 20 ]; then left=20; fi
  let_in
  part $left "$bin/gleaner" select create "$run" --schema "$schema" --budget $budget --seed 1 --json
  picked=$(jq -r '.selection.picks // .picks // 0 | if type == "array" then length else . end' "$state/part")
  part $left "$bin/gleaner" label tasks create "$schema" --filter "selected:$run" --control 0.2 --known-wrong 0.1 --seed 1 --json
  set_number=$(jq -r '.set.number // .number' "$state/part")
  say "  $(count "$picked" frame) chosen; a script reviews them. Until it is done nobody else comes in without a token."
  reviewer=$(gleaner tokens create script-reviewer --role annotator 2>>"$state/log/dataset.log")
  GLEANER_TOKEN=$reviewer part $left "$here/reviewer.py" --server "$page" --schema "$schema" --set "$set_number" \
    --films "$state/footage"
  did=$(tail -n 1 "$state/part")
  part $left "$bin/gleaner" dataset freeze "$run" --schema "$schema" --filter "selected:$run" --seed 1 --json
  rm -rf "$state/coco"
  part $left "$bin/gleaner" dataset export "$run" --format coco --out "$state/coco" --json
  part $left "$bin/gleaner" dataset verify "$run" --json
  made=$(jq -c --argjson did "$did" --arg name "$run" --argjson frames "$(frames '')" \
    --argjson predicted "$(frames 'predicted:box,bottle,person')" \
    '{$frames, $predicted, reviewed: ($did | del(.skipped) | add),
      dataset: {$name, root, frames: (.frames // 0 | tonumber)}}' "$state/part")
  shut_out
  jq -r '"  reviewed: \(.accepted) accepted, \(.fixed) fixed, \(.rejected) rejected, \(.created) drawn anew, \(.skipped) skipped"' \
    <<<"$did" >&2
  jq -r '"  dataset \(.dataset.name): \(.dataset.frames) frames, root \(.dataset.root[:12])…"' <<<"$made" >&2
}

made={}
dataset_there() { [ -d "$state/coco" ] || gleaner dataset show "$run" >/dev/null 2>&1; }
if $clips_only; then stage=made; elif ! $once && dataset_there; then stage=made; else stage=clips; fi

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
settled=() # what there was when all clips were checked and accounted for
while :; do
  check_alive
  if read -r seen clips checked failed gaps bytes senders < <(summary); then
    progress
    if $once && [ "$failed" -gt 0 ]; then
      blame=(cloud)
      die "$(count "$failed" clip) failed the check of the video"
    fi
    if [ "$seen" -eq ${#devices[@]} ] && [ "$senders" -eq ${#devices[@]} ] && [ "$clips" -ge $min_clips ]; then
      # Seen once it counts: new clips go on coming while the dataset is made.
      if [ "$checked" -eq "$clips" ] && [ "$gaps" -eq 0 ]; then settled=("$seen" "$clips" "$bytes" "$gaps"); fi
      if [ $stage = clips ] && [ "$checked" -ge $min_clips ] &&
        { [ ${#with_model[@]} -eq 0 ] || [ "$(looked_at)" -ge $min_clips ]; }; then
        if [ -t 2 ]; then say; fi
        make_dataset
        stage=made
        if ! $once; then
          cat >&2 <<EOF

  On the page: Review has what was chosen, what the model drew and what became of it ($page/review),
  Datasets the frozen version ($page/datasets). The COCO export: $state/coco/

EOF
        fi
        continue
      fi
      if $once && [ $stage = made ] && [ ${#settled[@]} -gt 0 ]; then break; fi
    fi
  fi
  if $once && [ $((SECONDS - started)) -ge "$timeout_s" ]; then
    blame=(cloud "${devices[@]}")
    die "after $timeout_s s: ${last_line:-no answer from the server}; wanted $min_clips clips or more from ${#devices[@]} devices, all checked, 0 gaps$(if [ $stage = clips ]; then printf ', the model has seen %s' "$(looked_at)"; fi)"
  fi
  sleep 0.5
done

if [ -t 2 ]; then say; fi
stop_all
printf '{"devices":%d,"clips":%d,"bytes":%d,"ledger_gaps":%d,"seconds":%d}\n' \
  "${settled[@]}" $((SECONDS - started)) | jq -c --argjson made "$made" '. + $made'
