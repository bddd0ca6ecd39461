// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"errors"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/setup"
)

// setupTask sets OpenSearch up in the background. Documents wait for it, since an index that is made before its template
// keeps guessed field types for a day.
type setupTask struct {
	templates []setup.Template
	client    *ownTarget
	timeout   time.Duration
	logger    *zap.Logger
	waits     hold // counted, told and repeated like a document's request
	done      chan struct{}
}

func newSetupTask(cfg *Config, own *ownTarget, held *holds, logger *zap.Logger) *setupTask {
	task := &setupTask{
		client:  own,
		timeout: cfg.AttemptTimeout,
		logger:  logger,
		waits:   hold{all: held},
		done:    make(chan struct{}),
	}
	if cfg.Setup.Enabled {
		task.templates = setup.Templates(setup.Options{
			DeadLetterIndex:    cfg.DeadLetterIndex,
			AutoExpandReplicas: cfg.Setup.AutoExpandReplicas,
		})
	}
	return task
}

// wait reports whether documents may be sent; false if ctx ended or the collector stops before that is known.
func (t *setupTask) wait(ctx, releasing context.Context) bool {
	select {
	case <-t.done:
		return true
	default:
	}
	select {
	case <-t.done:
		return true
	case <-ctx.Done():
		return false
	case <-releasing.Done():
		return false
	}
}

// run applies the templates until each is in place or refused for good.
func (t *setupTask) run(life, releasing context.Context) {
	for {
		err := t.apply(life)
		_, refused := errors.AsType[*setup.RefusedError](err)
		if refused {
			t.logger.Error("OpenSearch refuses the set-up: documents are sent without it, so their fields may get guessed types", zap.Error(err))
		}
		if refused || err == nil {
			t.waits.end(life, !refused)
			close(t.done)
			return
		}
		if !t.waits.pause(life, releasing, failure{reason: reasonSetup, text: err.Error()}) {
			t.waits.end(life, false)
			return
		}
	}
}

func (t *setupTask) apply(ctx context.Context) error {
	for _, template := range t.templates {
		if err := setup.Apply(ctx, t.exchange, template, t.logger); err != nil {
			return err
		}
	}
	return nil
}

// exchange is the set-up's way to OpenSearch.
func (t *setupTask) exchange(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	resp, err := t.client.do(ctx, method, path, "application/json", body)
	if err != nil {
		return 0, nil, errors.New(networkFailure(err).text) // the client's own error names the URL
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
