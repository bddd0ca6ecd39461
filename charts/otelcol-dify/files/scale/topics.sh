#!/bin/sh
# Creates the four topics, or updates their settings. Needs Kafka's own programs, which are in the image apache/kafka;
# docs/scale.md explains the values. It can be run again at any time and never changes the number of partitions.
#
#   OTELCOL_KAFKA_BROKERS=kafka:9092 sh topics.sh
#
# OTELCOL_KAFKA_ADMIN_CONFIG: a file with a login, which is passed to Kafka's programs as --command-config.
set -eu

PATH=$PATH:/opt/kafka/bin # where they are in the image
brokers=${OTELCOL_KAFKA_BROKERS:-kafka:9092}
prefix=${OTELCOL_KAFKA_TOPIC_PREFIX:-dify}
replication=${OTELCOL_KAFKA_REPLICATION:-3}
retention=$((${OTELCOL_KAFKA_RETENTION_HOURS:-72} * 3600000))
acknowledging=$((replication > 1 ? replication - 1 : 1)) # so that one broker may be unavailable

run() { # PROGRAM ARGS...
  program=$1
  shift
  "$program" --bootstrap-server "$brokers" ${OTELCOL_KAFKA_ADMIN_CONFIG:+--command-config "$OTELCOL_KAFKA_ADMIN_CONFIG"} "$@"
}

topic() { # NAME PARTITIONS
  run kafka-topics.sh --create --if-not-exists --topic "$1" --partitions "$2" --replication-factor "$replication"
  # Of a compressed batch: at least the gateways' max_message_bytes, which is before compression.
  run kafka-configs.sh --alter --entity-type topics --entity-name "$1" --add-config \
    "max.message.bytes=90000000,min.insync.replicas=$acknowledging,retention.ms=$retention,cleanup.policy=delete"
}

until run kafka-topics.sh --list >/dev/null; do
  echo "topics.sh: $brokers does not answer yet" >&2
  sleep 5
done
for name in traces logs workflow-logs; do
  topic "$prefix-$name" "${OTELCOL_KAFKA_PARTITIONS:-12}"
done
topic "$prefix-metrics" 1 # one process consumes them, in order
