// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

// hints tell the way out of the errors that operators meet, by how Redis begins them. Its own texts hold no secret.
var hints = [...]struct{ prefix, hint string }{
	{"NOAUTH", "Redis wants a login; put it into endpoint (Dify's CELERY_BROKER_URL)"},
	{"WRONGPASS", "Redis refused the login of endpoint (Dify's CELERY_BROKER_URL)"},
	{"ERR invalid password", "Redis refused the login of endpoint (Dify's CELERY_BROKER_URL)"},
	{"ERR DB index is out of range", "the database that endpoint names does not exist in Redis"},
	{"WRONGTYPE", "a queue's key does not hold a list; endpoint may name the wrong database (Dify's broker is database 1)"},
	{"NOPERM", "the Redis user may not read the queues; the README lists the rights it needs"},
	{"LOADING", "Redis is still loading its data; this passes by itself"},
	{"MASTERDOWN", "this Redis is a replica that has lost its master and must not answer; endpoint should name the master"},
	{"READONLY", "this Redis is a replica; endpoint should name the master"},
}

// explain puts the way out in front of an error.
func explain(err error) error {
	text := err.Error()
	for _, known := range hints {
		if strings.HasPrefix(text, known.prefix) {
			return fmt.Errorf("%s: %w", known.hint, err)
		}
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no answer within timeout: %w", err)
	}
	return err
}
