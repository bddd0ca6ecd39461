#!/usr/bin/env bash
# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
#
# Replays dead letters, which are documents that OpenSearch has permanently rejected, once the cause is fixed. Each is
# written to its original index with its original id; a document that exists already is not changed. Replayed dead letters
# are deleted from the dead-letter index. If one is rejected again, nothing is deleted: fix that cause too, and run it again.
#
#   replay-dead-letters.sh                                    all of them
#   replay-dead-letters.sh 'type:mapper_parsing_exception'    those that match a query; fields: status, type, reason, index, id
#
# Needs curl. The environment is the collector's: OTELCOL_OPENSEARCH_URL, and where needed OTELCOL_OPENSEARCH_USERNAME,
# OTELCOL_OPENSEARCH_PASSWORD, OTELCOL_OPENSEARCH_CA_FILE; OTELCOL_DEAD_LETTER_INDEX for an index of another name.
set -euo pipefail

url=${OTELCOL_OPENSEARCH_URL:?set it to the URL of OpenSearch}
url=${url%/}
index=${OTELCOL_DEAD_LETTER_INDEX:-otelcol-dify-dead-letter}
query=${1:-*}
pipeline=otelcol-dify-replay

die() {
  echo "replay-dead-letters.sh: $*" >&2
  exit 1
}

json() { # TEXT: as a JSON string
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

# The login goes in by a file descriptor: arguments are seen by every user of the machine.
login() {
  [ -z "${OTELCOL_OPENSEARCH_USERNAME:-}" ] || printf 'user = %s\n' "$(json "$OTELCOL_OPENSEARCH_USERNAME:${OTELCOL_OPENSEARCH_PASSWORD:-}")"
  [ -z "${OTELCOL_OPENSEARCH_CA_FILE:-}" ] || printf 'cacert = %s\n' "$(json "$OTELCOL_OPENSEARCH_CA_FILE")"
}

call() { # METHOD PATH BODY: prints the answer
  local answer status
  answer=$(curl --silent --show-error --config <(login) --request "$1" --header 'Content-Type: application/json' \
    --data-binary "$3" --write-out '\n%{http_code}' "$url/$2") || die "OpenSearch can't be reached at $url"
  status=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  case $status:$answer in
  2* | *'"failures":['*) ;;
  *) die "$1 $2: status $status: $answer" ;;
  esac
  printf '%s' "$answer"
}

number() { # NAME ANSWER
  sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$2"
}

# Letters that come from now on, or that another run of this command is about, are not touched: only what carries this
# run's mark is replayed and deleted.
run=$(date +%s)-$$-$RANDOM
marked='{"term":{"replay":"'$run'"}}'

call PUT "$index/_mapping" '{"properties":{"replay":{"type":"keyword"}}}' >/dev/null

# A pipeline converts a dead letter back into its document.
call PUT "_ingest/pipeline/$pipeline" '{
  "description": "converts a dead letter of opensearch_bulk back into its document",
  "processors": [{"script": {"source": "String index = ctx.index; String id = ctx.id; def document = Processors.json(ctx.document); ctx.keySet().removeIf(key -> !key.startsWith(\"_\")); ctx.putAll(document); ctx._index = index; ctx._id = id"}}]
}' >/dev/null

call POST "$index/_update_by_query?refresh=true&conflicts=proceed" \
  '{"query":{"query_string":{"query":'"$(json "$query")"'}},"script":{"source":"ctx._source.replay = params.run","params":{"run":"'$run'"}}}' >/dev/null

answer=$(call POST "_reindex?refresh=true" '{
  "conflicts": "proceed",
  "source": {"index": '"$(json "$index")"', "query": '"$marked"'},
  "dest": {"index": "'$pipeline'", "op_type": "create", "pipeline": "'$pipeline'"}
}')
case $answer in
*'"failures":[]'*) ;;
*) die "some are rejected again, so nothing is deleted from $index; fix this, or exclude them by a query, and run it again: ${answer#*\"failures\":}" ;;
esac
created=$(number created "$answer") there=$(number version_conflicts "$answer")
# A task that was cancelled or timed out reports no failures either.
[ "$((created + there))" = "$(number total "$answer")" ] || die "it ended early, so nothing is deleted from $index; run it again: $answer"
deleted=$(call POST "$index/_delete_by_query?refresh=true&conflicts=proceed" '{"query":'"$marked"'}')
echo "replayed $created, there already $there, deleted from $index $(number deleted "$deleted")"
