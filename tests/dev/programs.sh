#!/usr/bin/env bash
# The real programs, as a stranger meets them.
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
bin=${GLEANER_BIN:-$root/build/dev/bin}

test_the_demo_brings_clips_of_three_devices_without_a_gap_and_a_dataset_of_them() {
  run "$root/docker/demo/demo.sh" --once --state "$scratch/state"
  expect "exit status" 0 "$status"
  jq -e '.devices == 3 and .clips >= 6 and .bytes > 0 and .ledger_gaps == 0 and .seconds > 0 and
    .frames >= 20 and .predicted > 0 and .reviewed >= 10 and .dataset.name == "demo" and .dataset.frames > 0 and
    (.dataset.root | test("^[0-9a-f]{64}$"))' \
    <<<"$(tail -n 1 <<<"$out")" >/dev/null || fail "the last line is: $out"
}

# check_config PROGRAM FILE: with certificates that exist.
check_config() {
  [ -d "$scratch/tls" ] || "$root/docker/demo/pki.sh" "$scratch/tls" device
  install -m 600 <(echo secret) "$scratch/tls/front.password"
  sed -e "s|/etc/gleaner/tls/|$scratch/tls/|; s|/etc/gleaner/|$scratch/tls/|" "$2" >"$scratch/config.toml"
  run "$bin/$1" --config "$scratch/config.toml" --check-config
  expect "exit status of $1 with ${2#"$root"/}" 0 "$status"
}

test_the_example_configurations_are_right() {
  check_config gleaner-edge "$root/docker/gleaner-edge.toml"
  check_config gleaner-cloud "$root/docker/gleaner-cloud.toml"
  # What stands commented out is right as well, but for what only a plaintext link may have.
  sed -E 's/^# ([a-z_]+ = )/\1/; /^(device|plaintext) = /d' "$root/docker/gleaner-edge.toml" >"$scratch/all.toml"
  check_config gleaner-edge "$scratch/all.toml"
}

test_the_readme_configurations_are_right() {
  local name
  for name in edge cloud; do
    sed -n "\\|^cat >/etc/gleaner/$name.toml|,/^END\$/p" "$root/README.md" | sed '1d; $d' >"$scratch/readme-$name.toml"
    expect_in "$(<"$scratch/readme-$name.toml")" 'key = '
    # The device's gets its camera in the step after it, from a look at it.
    [ "$name" = cloud ] || printf '[[camera]]\nname = "front"\nurl = "rtsp://192.0.2.10/stream"\n' >>"$scratch/readme-$name.toml"
    check_config "gleaner-$name" "$scratch/readme-$name.toml"
  done
}

test_every_program_explains_itself_and_says_its_version() {
  local program version
  version=$(<"$bin/../version.txt")
  expect_in "$version" "$(sed -n 's/^project(gleaner VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")"
  for program in gleaner-edge gleaner-cloud gleaner; do
    run "$bin/$program" --help
    expect "exit status of $program --help" 0 "$status"
    expect_in "$out" "--version"
  done
  for program in gleaner-edge gleaner-cloud gleaner gleaner-media gleaner-model; do
    run "$bin/$program" --version
    expect "$program --version" "$version" "$out"
  done
}

# wrong WANTED COMMAND…: told as a sentence, with where to read on, and ends with 2.
wrong() {
  run "$bin/$2" "${@:3}"
  expect "exit status of ${*:2}" 2 "$status"
  expect "answer of ${*:2}" '' "$out"
  expect "complaint of ${*:2}" "$1" "$err"
}

# shellcheck disable=SC2016 # the backquotes are text
test_what_is_typed_wrongly_is_named() {
  wrong 'gleaner: there is no command "frob"; there is summary, devices, clips, frames, filters, similar, label, dataset, models, select, jobs, tokens, audit or release
`gleaner --help` says how it is used.' gleaner frob
  wrong 'gleaner: say what to do: list, show or get
`gleaner clips --help` says how it is used.' gleaner clips
  wrong 'gleaner: there is no option --frob
`gleaner clips list --help` says how it is used.' gleaner clips list --frob
  wrong 'gleaner: --limit can'"'"'t be "-1": it is a whole number, 0 or more
`gleaner clips list --help` says how it is used.' gleaner clips list --limit -1
  wrong 'gleaner: "cart-2" is one argument too many
`gleaner devices --help` says how it is used.' gleaner devices cart-1 cart-2
  wrong 'gleaner: id is missing
`gleaner clips show --help` says how it is used.' gleaner clips show
  wrong 'gleaner: FILE is missing
`gleaner release keygen --help` says how it is used.' gleaner release keygen
  wrong 'gleaner-cloud: DIR is missing
`gleaner-cloud backup --help` says how it is used.' gleaner-cloud backup
  wrong 'gleaner-edge: there is no option --conf
`gleaner-edge --help` says how it is used.' gleaner-edge --conf edge.toml
  wrong 'gleaner-edge: there is no command "start"; there is status, fsck or probe
`gleaner-edge --help` says how it is used.' gleaner-edge start
  wrong '{
 "code": "invalid_argument",
 "message": "there is no option --frob"
}' gleaner devices --json --frob
}

# A spool of a daemon that has never run, and the configuration that names it.
lay_spool() {
  cat >"$scratch/edge.toml" <<END
device = "cart-1"
[server]
address = "localhost:9"
plaintext = true
[spool]
directory = "$scratch/spool"
quota = "16 MiB"
[[camera]]
name = "film"
url = "$scratch/no.mp4"
[[rule]]
name = "moves"
when = "motion > 0.1"
END
  "$bin/gleaner-edge" --config "$scratch/edge.toml" >"$scratch/edge.log" 2>&1 &
  local daemon=$!
  for _ in $(seq 300); do
    ! grep -q watching: "$scratch/edge.log" || break
    sleep 0.1
  done
  kill "$daemon"
  wait "$daemon"
}

test_an_answer_is_on_standard_output_alone_and_told_where_it_did_not_get_out() {
  lay_spool
  run "$bin/gleaner-edge" --config "$scratch/edge.toml" fsck --repair --json
  expect "exit status of fsck --repair" 0 "$status"
  jq -e '.ok' <<<"$out" >/dev/null || fail "not JSON: $out"
  run bash -c "'$bin/gleaner-edge' --config '$scratch/edge.toml' status --json >/dev/full"
  expect "exit status with a full disk" 1 "$status"
  expect "what is said of it" 'gleaner-edge: writing to standard output: No space left on device' "$err"
}

test_manual_pages_name_every_option_and_command_there_is() {
  local page program help word unnamed
  while read -r page program; do
    help=$("$bin/$program" --help)
    while read -r word; do
      help+=$'\n'$("$bin/$program" "$word" --help)
      [ "$program $word" != "gleaner clips" ] || for word in list show get; do help+=$'\n'$("$bin/$program" clips $word --help); done
      [ "$program $word" != "gleaner release" ] || for word in keygen init rotate add remove sign discard refresh verify show; do help+=$'\n'$("$bin/$program" release $word --help); done
      [ "$program $word" != "gleaner frames" ] || for word in list count get; do help+=$'\n'$("$bin/$program" frames $word --help); done
      [ "$program $word" != "gleaner models" ] || for word in list run; do help+=$'\n'$("$bin/$program" models $word --help); done
      [ "$program $word" != "gleaner select" ] || for word in create list show compare; do help+=$'\n'$("$bin/$program" select $word --help); done
      [ "$program $word" != "gleaner dataset" ] || for word in freeze list show diff export verify; do help+=$'\n'$("$bin/$program" dataset $word --help); done
      [ "$program $word" != "gleaner label" ] || for word in schema\ create schema\ list schema\ show tasks\ create tasks\ list predictions\ import import report; do
        # shellcheck disable=SC2086 # two words
        help+=$'\n'$("$bin/$program" label $word --help)
      done
      [ "$program $word" != "gleaner tokens" ] || for word in create list revoke; do help+=$'\n'$("$bin/$program" tokens $word --help); done
      [ "$program $word" != "gleaner jobs" ] || for word in list show cancel retry; do help+=$'\n'$("$bin/$program" jobs $word --help); done
    done < <(awk '/^Subcommands:/ { on = 1; next } on && /^  [a-z]/ { print $1 }' <<<"$help")
    unnamed=$(comm -3 <(grep -oE '^  (-[a-z],)?--[a-z-]+' <<<"$help" | grep -oE -- '--[a-z-]+' | sort -u) \
      <(sed 's/\\-/-/g' "$root/$page" | grep -oE -- '--[a-z-]+' | sort -u))
    expect "options that only --help or only $page names" '' "$unnamed"
    run man --warnings --local-file "$root/$page"
    expect "what man complains about in $page" '' "$err"
  done <<'END'
edge/gleaner-edge.8 gleaner-edge
cloud/gleaner-cloud.8 gleaner-cloud
cloud/media/worker/gleaner-media.8 gleaner-media
cloud/model/worker/gleaner-model.8 gleaner-model
cli/gleaner.1 gleaner
END
}

completed() { # completed WORD…: what the last one is completed to
  (
    PATH=$bin:$PATH
    # shellcheck source=cli/completion.bash
    . "$root/cli/completion.bash"
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _gleaner
    echo "${COMPREPLY[*]}"
  )
}

test_completion_knows_what_the_program_knows() {
  expect "commands of gleaner" 'clips' "$(completed gleaner cl)"
  expect "commands of gleaner clips" 'list show get' "$(completed gleaner clips '')"
  expect "commands of gleaner tokens" 'create list revoke' "$(completed gleaner tokens '')"
  expect "commands of gleaner dataset" 'freeze list show diff export verify' "$(completed gleaner dataset '')"
  expect "what an export can be told" '--shard-bytes --split' "$(completed gleaner dataset export --s | tr ' ' '\n' | sort | xargs)"
  expect "commands of gleaner label" 'schema tasks predictions import report' "$(completed gleaner label '')"
  expect "commands of gleaner label schema" 'create list show' "$(completed gleaner label schema '')"
  expect "what a set of tasks can be told" '--pairs --priority' "$(completed gleaner label tasks create --p | tr ' ' '\n' | sort | xargs)"
  expect "what a token can be told" '--role' "$(completed gleaner tokens create --r)"
  expect "options of a command" '--filter' "$(completed gleaner clips list --fi)"
  expect "options of gleaner-edge" '--check-config --config' "$(completed gleaner-edge --c | tr ' ' '\n' | sort | xargs)"
  mkdir "$scratch/backups"
  expect "the folder of a backup" "$scratch/backups" "$(completed gleaner-cloud backup "$scratch/b")"
  expect "the folder of a repository" "$scratch/backups" "$(completed gleaner release show "$scratch/b")"
  : >"$scratch/model.onnx"
  expect "a file of predictions" "$scratch/model.onnx" "$(completed gleaner label predictions import "$scratch/m")"
  expect "a file that is released" "$scratch/model.onnx" "$(completed gleaner release add "$scratch/backups" "$scratch/m")"
  expect "the folder of an export" "$scratch/backups" "$(completed gleaner-cloud kept --export "$scratch/b")"
  expect "what a look at a camera can be told" '--show-path' "$(completed gleaner-edge probe --sh)"
  expect "options behind an option's value" '--repair' "$(completed gleaner-edge --config /etc/edge.toml fsck --r)"
}

"$1"
