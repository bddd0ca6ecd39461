#!/usr/bin/env bash
# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
#
# Replays dead letters (documents that OpenSearch permanently rejected) once their cause is fixed. Each document is written to
# its original index under its original id; a document that already exists there is left unchanged. Replayed documents are
# deleted from the dead-letter index. If a document is rejected again, nothing is deleted: fix that cause, too, and run it again.
#
#   replay-dead-letters.sh                                    all of them
#   replay-dead-letters.sh 'type:mapper_parsing_exception'    the matches of a query; fields are status, type, reason, index, id
#
# Needs curl. Reads the collector's variables: OTELCOL_OPENSEARCH_URL, and if needed OTELCOL_OPENSEARCH_USERNAME,
# OTELCOL_OPENSEARCH_PASSWORD and OTELCOL_OPENSEARCH_CA_FILE. OTELCOL_DEAD_LETTER_INDEX names a different index.
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

# The login is passed through a file descriptor: every user of the machine can see arguments.
login() {
  [ -z "${OTELCOL_OPENSEARCH_USERNAME:-}" ] || printf 'user = %s\n' "$(json "$OTELCOL_OPENSEARCH_USERNAME:${OTELCOL_OPENSEARCH_PASSWORD:-}")"
  [ -z "${OTELCOL_OPENSEARCH_CA_FILE:-}" ] || printf 'cacert = %s\n' "$(json "$OTELCOL_OPENSEARCH_CA_FILE")"
}

call() { # METHOD PATH BODY: prints the response
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

# Dead letters that arrive from now on, or that another run of this command is replaying, are not touched: only documents with
# this run's mark are replayed and deleted.
run=$(date +%s)-$$-$RANDOM
marked='{"term":{"replay":"'$run'"}}'

call PUT "$index/_mapping" '{"properties":{"replay":{"type":"keyword"}}}' >/dev/null

# The pipeline turns a dead letter back into its document.
call PUT "_ingest/pipeline/$pipeline" '{
  "description": "Turns a dead letter of opensearch_bulk back into its document.",
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
*) die "some documents were rejected again, so nothing was deleted from $index; fix the cause, or exclude them with a query, and run it again: ${answer#*\"failures\":}" ;;
esac
created=$(number created "$answer") there=$(number version_conflicts "$answer")
# A task that was canceled or timed out reports no failures either.
[ "$((created + there))" = "$(number total "$answer")" ] || die "the task ended early, so nothing was deleted from $index; run it again: $answer"
deleted=$(call POST "$index/_delete_by_query?refresh=true&conflicts=proceed" '{"query":'"$marked"'}')
echo "replayed $created, already present $there, deleted from $index $(number deleted "$deleted")"
