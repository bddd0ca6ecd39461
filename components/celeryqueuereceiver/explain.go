// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver/internal/diagnose"
	"github.com/otelcol-dify/otelcol-dify/components/internal/neterr"
	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

// hints are what to do about an error, by how its text begins. The texts of Redis contain no secrets.
var hints = [...]struct{ prefix, hint string }{
	{"NOAUTH", "Redis requires credentials; add them to `endpoint` (Dify's CELERY_BROKER_URL)"},
	{"WRONGPASS", "Redis rejected the credentials in `endpoint` (Dify's CELERY_BROKER_URL)"},
	{"ERR invalid password", "Redis rejected the credentials in `endpoint` (Dify's CELERY_BROKER_URL)"},
	{"ERR DB index is out of range", "the database in `endpoint` does not exist in Redis"},
	{"WRONGTYPE", "a queue's key is not a list; `endpoint` may have the wrong database (Dify's broker is database 1)"},
	{"NOPERM", "the Redis user lacks permission to read the queues; the README lists what it needs"},
	{"LOADING", "Redis is still loading its data; this passes automatically"},
	{
		"MASTERDOWN",
		"this Redis is a replica that has lost its master and does not serve reads; `endpoint` should be the master",
	},
	{"READONLY", "this Redis is a replica; `endpoint` should be the master"},
}

// explain puts what to do before the text of an error.
func explain(err error, server neterr.Server) error {
	text := err.Error()
	for _, known := range hints {
		if strings.HasPrefix(text, known.prefix) {
			return fmt.Errorf("%s: %w", known.hint, err)
		}
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		err = fmt.Errorf("no response within `timeout`: %w", err)
	}
	return server.Explain(err)
}

// Diagnose connects to the broker of a configuration and checks it for `difyctl doctor`.
func Diagnose(ctx context.Context, cfg *Config) []check.Result {
	b, err := parseBroker(string(cfg.Endpoint))
	if err != nil {
		return []check.Result{check.Failed("redis: connection", "`endpoint` "+err.Error(), "CELERY_BROKER_URL")}
	}
	client, err := newClient(ctx, cfg, b)
	if err != nil {
		return []check.Result{check.Failed("redis: connection", err.Error(), "REDIS_SSL_CA_CERTS, REDIS_SSL_CERTFILE and "+
			"REDIS_SSL_KEYFILE: the files must exist in the collector's container")}
	}
	defer client.Close()
	r := newRequest(cfg.KeyPrefix, cfg.Queues)
	set := diagnose.Settings{
		Address: b.identity(), DB: b.db, TLS: b.tls, Bindings: r.bindings,
		Explain: func(err error) error { return explain(err, serverOf(b)) },
	}
	for _, queue := range r.queues {
		set.Queues = append(set.Queues, queue.keys...)
	}
	return diagnose.Broker(ctx, client, set)
}
