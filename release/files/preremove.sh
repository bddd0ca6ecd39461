#!/bin/sh
# Stops the collector when the package is removed, but not when it is upgraded: dpkg passes "remove", rpm the number of
# versions that stay.
set -e
case "$1" in
remove | 0)
  if [ -d /run/systemd/system ]; then
    systemctl disable --now otelcol-dify.service
  fi
  ;;
esac
