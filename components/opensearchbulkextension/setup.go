// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/setup"
)

// setupTask sets OpenSearch up in the background. Documents wait for the templates, since an index that is made before its
// template keeps guessed field types for a day, and for one try of the retention policy, which holds only for indices that
// are made after it.
type setupTask struct {
	templates  []setup.Template
	retention  *setupStep // nil: none
	dashboards *setupStep // nil: none
	exchange   setup.Exchange
	logger     *zap.Logger
	waits      retrier // counted, told and repeated like a document's request
	done       chan struct{}
}

// dashboardsHeader goes with every request to Dashboards: it demands the first, and its security plugin would put the
// objects among those of the user who logs in, where nobody else sees them. `headers` in the configuration wins.
var dashboardsHeader = http.Header{"Osd-Xsrf": {"true"}, "Securitytenant": {"global"}}

// newSetupTask plans what is to be done; dashboards is nil where there is no OpenSearch Dashboards.
func newSetupTask(cfg *Config, own, dashboards *ownTarget, shared *outage, logger *zap.Logger) *setupTask {
	task := &setupTask{
		exchange: exchange(own, cfg.AttemptTimeout),
		logger:   logger,
		waits:    retrier{outage: shared},
		done:     make(chan struct{}),
	}
	if !cfg.Setup.Enabled {
		close(task.done) // at once: a request must not find the door shut only because a goroutine has not run yet
		return task
	}
	opts := setup.Options{DeadLetterIndex: cfg.DeadLetterIndex, AutoExpandReplicas: cfg.Setup.AutoExpandReplicas}
	task.templates = setup.Templates(opts)
	if days := cfg.Setup.RetentionDays; days > 0 {
		task.retention = newSetupStep("the retention policy", shared, logger, func(ctx context.Context) error {
			return setup.ApplyPolicy(ctx, task.exchange, days, logger)
		})
	}
	if dashboards != nil {
		dashboards.header = dashboardsHeader
		ask := exchange(dashboards, cfg.AttemptTimeout)
		task.dashboards = newSetupStep("OpenSearch Dashboards", shared, logger, func(ctx context.Context) error {
			return setup.ImportObjects(ctx, ask, setup.Objects(opts), logger)
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

// run sets OpenSearch up, and lets documents go as soon as they may.
func (t *setupTask) run(life, releasing context.Context) {
	if len(t.templates) == 0 {
		return // no set-up is wanted
	}
	if !t.putTemplates(life, releasing) {
		return
	}
	over := t.retention.try(life)
	close(t.done)
	if !over {
		t.retention.repeat(life, releasing)
	}
}

// putTemplates returns true when each template is in place or refused for good.
func (t *setupTask) putTemplates(life, releasing context.Context) bool {
	var refusals error
	for len(t.templates) > 0 {
		err := setup.ApplyTemplate(life, t.exchange, t.templates[0], t.logger)
		if isRefusal(err) {
			refusals = errors.Join(refusals, err)
		} else if err != nil {
			if t.waits.pause(life, releasing, failure{reason: reasonSetup, text: err.Error(), advice: adviceOnSetup(err)}) {
				continue
			}
			t.waits.end(life, false)
			return false
		}
		t.templates = t.templates[1:]
	}
	if refusals != nil {
		t.logger.Error("OpenSearch refuses the set-up: documents are sent without it, so their fields may get guessed types", zap.Error(refusals))
	}
	t.waits.end(life, true) // refused or not: OpenSearch answers, and documents go
	return true
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*setup.RefusedError](err)
	return ok
}

// exchange is the set-up's way to a server.
func exchange(with *ownTarget, timeout time.Duration) setup.Exchange {
	return func(ctx context.Context, req setup.Request) (int, []byte, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if req.ContentType == "" {
			req.ContentType = "application/json"
		}
		resp, err := with.do(ctx, req.Method, req.Path, req.ContentType, req.Body)
		if err != nil {
			return 0, nil, networkFailure(err) // the client's own error names the URL
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		return resp.StatusCode, answer, err
	}
}
