#!/usr/bin/env bash
# What the documents, the alerts and the packages say is so.
# shellcheck disable=SC2016 # stand-ins are programs of their own
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
cd "$root"

readmes() { find . -name '*.md' -not -path './build/*' -not -path './.demo/*' -not -path '*/node_modules/*'; }

test_links_lead_somewhere() {
  local file link broken=''
  while read -r file; do
    while read -r link; do
      case $link in http*:* | '#'* | mailto:*) continue ;; esac
      [ -e "$(dirname "$file")/${link%%#*}" ] || broken+="$file: $link"$'\n'
    done < <(grep -oE '\]\([^) ]+\)|(src|srcset)="[^"]+"' "$file" | sed -E 's/^\]\(//; s/\)$//; s/^[a-z]+="//; s/"$//')
  done < <(readmes)
  expect "broken links" '' "$broken"
}

test_every_test_that_the_readme_names_exists() {
  local name missing=''
  while read -r name; do
    grep -rqE "TEST(_F|_P)?\\(${name%.*}, ${name#*.}\\)" tests --include='*.cpp' || missing+="$name "
  done < <(sed -n '/^### What is promised/,/^### /p' README.md | grep -oE '[A-Z][A-Za-z]+\.[A-Z][A-Za-z]+')
  expect "tests that aren't there" '' "$missing"
}

# Names of tests that the table gives, "…" standing for what is left out.
field_tests() {
  sed -n '/^## The field/,/^Cameras for tests/p' tests/README.md | grep '^|' | grep -oE '`[A-Za-z]+\.[A-Za-z0-9…]+`' | tr -d '`' | sort -u
}

test_every_kind_of_camera_has_a_test_and_the_label_field_runs_it() {
  local tests patterns name pattern missing='' unlabelled='' labelled
  tests=$(find tests -name '*_test.cpp' -exec cat {} + | tr -s ' \n' ' ' |
    grep -oE 'TEST(_F|_P)?\( ?[A-Za-z0-9]+, ?[A-Za-z0-9]+' | sed -E 's/^[A-Z_]+\( ?//; s/, ?/./')
  patterns=$(find tests -name CMakeLists.txt -exec cat {} + | tr -s ' \n' ' ' | grep -oE 'FIELD [^)]* DEPS' | tr ' ' '\n' | grep '\*')
  while read -r name; do
    grep -qE "^${name/…/.*}\$" <<<"$tests" || missing+="$name "
    labelled=no
    while read -r pattern; do
      # shellcheck disable=SC2053 # it is a pattern
      if [[ ${name%…} == $pattern || $name == $pattern ]]; then labelled=yes; fi
    done <<<"$patterns"
    [ $labelled = yes ] || unlabelled+="$name "
  done < <(field_tests)
  expect "tests that aren't there" '' "$missing"
  expect "tests without the label" '' "$unlabelled"
  [ "$(field_tests | wc -l)" -ge 40 ] || fail "the table is not read"
}

test_every_linked_package_has_its_licence_named() {
  local package unnamed=''
  while read -r package; do
    grep -qF -- "$package" third_party/LICENSES.md || unnamed+="$package "
  done < <(sed 's/#.*//' third_party/packages/{common,edge,cloud}.txt | grep -- '-dev$' | sort -u)
  expect "packages without a licence in third_party/LICENSES.md" '' "$unnamed"
}

test_every_library_of_the_page_has_its_licence_named() {
  local unnamed
  unnamed=$(jq -r '.dependencies + .devDependencies | keys[]' cloud/web/package.json |
    while read -r name; do grep -qF -- "$name" third_party/LICENSES.md || echo "$name"; done)
  expect "npm packages without a licence in third_party/LICENSES.md" '' "$unnamed"
}

test_every_npm_package_of_the_tests_has_its_licence_named() {
  local unnamed
  unnamed=$(jq -r '.devDependencies | keys[]' third_party/npm/package.json |
    while read -r name; do grep -qF -- "\`$name\`" third_party/LICENSES.md || echo "$name"; done)
  expect "npm packages without a licence in third_party/LICENSES.md" '' "$unnamed"
}

test_alerts_wake_when_they_should() {
  promtool check rules docker/prometheus/rules.yml
  promtool check config --syntax-only docker/prometheus/prometheus.yml
  (cd docker/prometheus && promtool test rules rules_test.yml)
}

test_alerts_read_metrics_that_the_server_has() {
  local name unknown=''
  while read -r name; do
    grep -rqF "\"$name\"" cloud --include='*.cpp' || unknown+="$name "
  done < <(grep -oE 'gleaner_[a-z_]+' docker/prometheus/rules.yml | sort -u)
  expect "metrics that no source names" '' "$unknown"
}

# Its token and keys must not end up in a layer of the image.
test_secrets_stay_out_of_the_build_context() {
  expect_in "$(<docker/README.md)" 'docker/secrets'
  grep -qxF docker/secrets .dockerignore || fail ".dockerignore lacks docker/secrets"
}

test_systemd_never_gives_up() {
  local unit
  for unit in edge/systemd/*.service cloud/systemd/*.service; do
    expect_in "$(sed -n '/^\[Unit\]/,/^\[Service\]/p' "$unit")" 'StartLimitIntervalSec=0'
    expect_in "$(<"$unit")" 'RestartSec=5'
  done
}

test_units_can_do_little_harm() {
  local unit
  for unit in edge/systemd/*.service cloud/systemd/*.service; do
    run systemd-analyze security --offline=true --threshold=15 --no-pager "$unit"
    expect "exit status of systemd-analyze security $unit" 0 "$status"
    expect_in "$(<"$unit")" 'LimitCORE=0'
    expect_in "$(<"$unit")" 'RestrictNamespaces=yes'
    # The daemon's bound is its slice's.
    grep -q '^MemoryMax=' "$(dirname "$unit")"/*.{service,slice} 2>/dev/null || fail "$unit has no MemoryMax"
  done
}

# A compiler for another processor, as on a device's arm64, does not know this one's hardening.
test_the_release_build_asks_a_compiler_only_for_what_it_knows() {
  local source=$scratch/source
  mkdir -p "$source"
  stub c++ '
    for argument in "$@"; do
      shift
      case $argument in
        -fcf-protection) echo "not on this processor" >&2; exit 1 ;;
        -mbranch-protection=standard) continue ;;
      esac
      set -- "$@" "$argument"
    done
    PATH=${PATH#*:} exec c++ "$@"'
  cat >"$source/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.25)
project(hardened CXX)
set(GLEANER_HARDENING ON)
include($root/third_party/cmake/GleanerToolchain.cmake)
get_directory_property(options COMPILE_OPTIONS)
message(STATUS "options: \${options}")
EOF
  run stubbed cmake -S "$source" -B "$scratch/build" -DCMAKE_CXX_COMPILER="$scratch/stubs/c++"
  expect "exit status" 0 "$status"
  out=$(grep '^-- options:' <<<"$out")
  expect_in "$out" '-mbranch-protection=standard'
  if grep -q 'fcf-protection' <<<"$out"; then fail "it asks for -fcf-protection: $out"; fi
}

test_every_package_list_is_one_name_a_line() {
  if grep -nvE '^(#.*|[a-z0-9][a-z0-9.+-]+)$' third_party/packages/*.txt; then
    fail "these lines are not a package name"
  fi
}

"$1"
