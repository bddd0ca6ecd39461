#!/usr/bin/env bash
# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs the tests of the built binary with their fault schedules in full, and the fuzz tests: one suite, or all of them in order.
# `make soak` runs it.
#
#   tests/soak.sh [SUITE]        run one suite, or all
#   tests/soak.sh --list         print each suite with its packages
#   tests/soak.sh --check SUITE  fail if there is no such suite
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Each package of tests/ is in exactly one suite: a test of internal/soak checks it.
suites=(
  "stack        . ./internal/... ./bench ./gitleaks ./sqlliterals ./layout ./words ./workflows"
  "workflowlog  ./workflowlog"
  "opensearch   ./opensearchbulk/..."
  "sentry       ./sentry"
  "scale        ./scale ./kubernetes"
  "difyfilter   ./difyfilter ./doctor"
  "alerting     ./alerting ./render"
  "compose      ./compose ./image ./difyenv"
  "upgrade      ./upgrade ./ocb"
  "hostile      ./hostile"
  "fuzz" # each fuzz test of the components, one after the other
)
limit=100m # for a package, on two cores
fuzz_time=6m # for each fuzz test

names=()
declare -A packages
for suite in "${suites[@]}"; do
  read -r name rest <<<"$suite"
  names+=("$name")
  packages[$name]=$rest
done

check() { # SUITE
  [ -n "${packages[$1]+known}" ] && return
  echo "unknown suite \"$1\": SUITE is one of ${names[*]}" >&2
  return 1
}

# Runs every fuzz test of the components. A failing input is written to the package's testdata/fuzz: commit it.
fuzz() {
  local file name result=0
  while IFS=: read -r file name; do
    echo "soak: fuzz: $name in $(dirname "$file")"
    go -C .. test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime $fuzz_time || result=1
  done < <(cd .. && grep -roE --include='*_test.go' '^func Fuzz[A-Za-z]+' components | sed 's/func //' | sort)
  return $result
}

# Runs a suite with one seed for all its schedules: the given one, else a new one.
run() { # SUITE
  local suite=$1 seed begin result=ok
  seed=${OTELCOL_TEST_SEED:-$(od -An -N8 -tu8 /dev/urandom | tr -d ' ')}
  begin=$SECONDS
  echo "soak: $suite: OTELCOL_TEST_SEED=$seed"
  if [ "$suite" = fuzz ]; then
    fuzz || result=FAILED
  else
    # shellcheck disable=SC2086 # several packages
    OTELCOL_TEST_SOAK=1 OTELCOL_TEST_SEED=$seed \
      gotestsum --format testname -- -count 1 -timeout $limit ${packages[$suite]} || result=FAILED
  fi
  summary+=("$(printf '%-12s %-6s %3d min  OTELCOL_TEST_SEED=%s' "$suite" "$result" $(((SECONDS - begin + 59) / 60)) "$seed")")
  [ $result = ok ] || failed=1
}

case ${1:-} in
--list)
  printf '%s\n' "${suites[@]}"
  exit
  ;;
--check)
  [ -z "${2:-}" ] || check "$2"
  exit
  ;;
"") selected=("${names[@]}") ;;
*)
  check "$1"
  selected=("$1")
  ;;
esac

failed=0
summary=()
for suite in "${selected[@]}"; do run "$suite"; done
printf 'soak: %s\n' "${summary[@]}"
exit $failed
