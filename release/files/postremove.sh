#!/bin/sh
# Telemetry that was not delivered stays in /var/lib/otelcol-dify, with its user, until `purge`.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
if [ "$1" = purge ]; then
  rm -rf /var/lib/otelcol-dify
fi
