#!/usr/bin/env bash
# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
#
# Writes a fixture of this package with a binary of an older version:
#
#   git worktree add /tmp/old v1.2.3 && make -C /tmp/old build
#   tests/upgrade/make.sh v0.138 /tmp/old/bin/otelcol-dify /tmp/old/config/collector.yaml
#
# The first argument is the name of the fixture, a folder of testdata. The configuration is kept in the fixture.
set -euo pipefail
[ $# = 3 ] || {
  sed -n '5,10s/^# \{0,1\}//p' "$0" >&2
  exit 1
}
binary=$(realpath "$2")
config=$(realpath "$3")
cd "$(dirname "${BASH_SOURCE[0]}")"
mkdir -p "testdata/$1"
cmp -s "$config" "testdata/$1/collector.yaml" || cp "$config" "testdata/$1/collector.yaml"
OTELCOL_TEST_BINARY=$binary OTELCOL_UPGRADE_FIXTURE=$PWD/testdata/$1 \
  go test -count 1 -tags makefixture -run '^TestMakeFixture$' .
ls -l "testdata/$1"
