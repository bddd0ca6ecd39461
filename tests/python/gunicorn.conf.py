# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""gunicorn as Dify runs it: gevent workers, the application made in each of them."""

import os

bind = os.environ["APP_BIND"]
worker_class = "gevent"
workers = int(os.environ.get("APP_WORKERS", "3"))
preload_app = False


def post_fork(_server, _worker):
    import grpc.experimental.gevent

    grpc.experimental.gevent.init_gevent()
