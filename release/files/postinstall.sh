#!/bin/sh
# Creates the user, and restarts a running collector after an upgrade.
set -e
if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers otelcol-dify.conf
elif ! getent passwd otelcol-dify >/dev/null; then
  useradd --system --user-group --no-create-home --home-dir /var/lib/otelcol-dify --shell /usr/sbin/nologin otelcol-dify
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart otelcol-dify.service
fi
