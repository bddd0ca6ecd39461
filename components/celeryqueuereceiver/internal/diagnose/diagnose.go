// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package diagnose checks Dify's Redis for `difyctl doctor`. It reads lengths and the list of clients.
package diagnose

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

const (
	connection = "redis: connection"
	rights     = "redis: rights"
	declared   = "redis: queues"
	readers    = "redis: workers"

	timeout = 5 * time.Second

	fixURL = "CELERY_BROKER_URL in Dify's .env or otelcol.env"
)

// Settings are what is known of the broker.
type Settings struct {
	Address  string // without credentials
	DB       int
	TLS      bool
	Queues   []string // keys of the lists
	Bindings []string // keys that kombu writes when a worker declares a queue
	Explain  func(error) error
}

// Broker checks a broker.
func Broker(ctx context.Context, client redis.UniversalClient, set Settings) []check.Result {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	waiting, err := lengths(ctx, client, set.Queues)
	if err != nil && !denied(err) {
		err = set.Explain(err)
		return []check.Result{
			check.Failed(connection, err.Error(), fix(err, set.TLS)), check.Skipped(rights, ""), check.Skipped(declared, ""),
			check.Skipped(readers, ""),
		}
	}
	results := []check.Result{check.OK(connection, set.Address)}
	if err != nil {
		return append(results, check.Failed(rights, set.Explain(err).Error(),
			"the ACL of the user in CELERY_BROKER_URL: the README of celery_queue has it"), check.Skipped(declared, ""),
			check.Skipped(readers, ""))
	}
	results = append(results, check.OK(rights, "the queues can be read"))
	return append(results, queues(ctx, client, set, waiting), workers(ctx, client, set.DB, waiting))
}

func lengths(ctx context.Context, client redis.UniversalClient, keys []string) (waiting int64, err error) {
	var replies []*redis.IntCmd
	_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			replies = append(replies, p.LLen(ctx, key))
		}
		return nil
	})
	for _, reply := range replies {
		waiting += reply.Val()
	}
	return waiting, err
}

func denied(err error) bool { return strings.HasPrefix(err.Error(), "NOPERM") }

func fix(err error, tls bool) string {
	text := err.Error()
	switch {
	case tls && strings.Contains(text, "no response"): // Redis waits for the end of what it takes for a command
		return "redis:// in CELERY_BROKER_URL if Redis does not use TLS, else the address"
	case strings.Contains(text, "sentinel"), strings.Contains(text, "master"):
		return "CELERY_SENTINEL_MASTER_NAME, CELERY_SENTINEL_PASSWORD, CELERY_BROKER_URL"
	case strings.Contains(text, "certificate"):
		return "REDIS_SSL_CA_CERTS and REDIS_SSL_CERT_REQS"
	}
	return fixURL
}

func queues(ctx context.Context, client redis.UniversalClient, set Settings, waiting int64) check.Result {
	found, err := client.Exists(ctx, set.Bindings...).Result()
	switch {
	case err != nil:
		return check.Skipped(declared, ""+set.Explain(err).Error())
	case found == 0:
		return check.Failed(declared, "no queue has been declared there: it is the wrong database or prefix, or Dify's "+
			"worker has never run", "the number of the database in CELERY_BROKER_URL (Dify's is 1), and REDIS_KEY_PREFIX")
	}
	return check.OK(declared, fmt.Sprintf("%d are declared, %d tasks wait", found, waiting))
}

// workers looks for clients that wait for tasks.
func workers(ctx context.Context, client redis.UniversalClient, db int, waiting int64) check.Result {
	clients, err := client.Do(ctx, "CLIENT", "LIST").Text()
	if err != nil {
		return check.Skipped(readers, "the user may not run CLIENT LIST, and needs not")
	}
	reading := 0
	for line := range strings.Lines(clients) {
		if strings.Contains(line, " cmd=brpop") && strings.Contains(line, fmt.Sprintf(" db=%d ", db)) {
			reading++
		}
	}
	switch {
	case reading > 0:
		return check.OK(readers, fmt.Sprintf("%d connections wait for tasks", reading))
	case waiting > 0:
		return check.Failed(readers, fmt.Sprintf("nobody reads the queues, and %d tasks wait", waiting),
			"start Dify's worker: `docker compose up -d worker` in Dify's docker folder")
	}
	return check.Warning(readers, "nobody reads the queues now: workers that are busy do not either",
		"if it stays so, start Dify's worker")
}
