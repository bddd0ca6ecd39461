// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/deliver"
)

// Settings of a Task. Only Enabled is required where it is false.
type Settings struct {
	Enabled bool
	Options Options
	// RetentionDays is the age at which an index is deleted; 0: never.
	RetentionDays int
	// Timeout is that of one request.
	Timeout time.Duration
	Retry   deliver.RetrySettings

	// OpenSearch is required, Dashboards is nil where there are none.
	OpenSearch, Dashboards *deliver.Client
	Outage                 *deliver.Outage
	Logger                 *zap.Logger
}

// Task sets OpenSearch up in the background. Documents wait for the templates, since an index that is created before
// its template keeps guessed field types for a day, and for one attempt at the retention policy, which applies only
// to indices that are created after it.
type Task struct {
	templates  []Template
	retention  *step // nil: none
	dashboards *step // nil: none
	exchange   Exchange
	logger     *zap.Logger
	retrier    *deliver.Retrier // blocked, logged and retried like a document's request
	ready      chan struct{}
}

// DashboardsHeader is required with every request to OpenSearch Dashboards: it demands the first, and without the
// second its security plugin would store the objects for the user who logs in, where nobody else sees them.
func DashboardsHeader() http.Header {
	return http.Header{"Osd-Xsrf": {"true"}, "Securitytenant": {"global"}}
}

// NewTask plans the setup.
func NewTask(set Settings) *Task {
	task := &Task{
		exchange: exchange(set.OpenSearch, set.Timeout),
		logger:   set.Logger,
		retrier:  set.Outage.NewRetrier(),
		ready:    make(chan struct{}),
	}
	if !set.Enabled {
		close(task.ready) // now: a request must not be delayed only because a goroutine has not run yet
		return task
	}
	task.templates = Templates(set.Options)
	if set.RetentionDays > 0 {
		task.retention = newStep("the retention policy", set.Retry.NewBackoff(), set.Logger,
			func(ctx context.Context) error {
				return ApplyPolicy(ctx, task.exchange, set.RetentionDays, set.Options, set.Logger)
			})
	}
	if set.Dashboards != nil {
		dashboards := exchange(set.Dashboards, set.Timeout)
		task.dashboards = newStep("OpenSearch Dashboards", set.Retry.NewBackoff(), set.Logger,
			func(ctx context.Context) error {
				return ImportObjects(ctx, dashboards, Objects(set.Options), set.Logger)
			})
	}
	return task
}

// Ready returns a channel that is closed when documents may be sent.
func (t *Task) Ready() <-chan struct{} { return t.ready }

// Run sets OpenSearch up, and closes Ready as soon as documents may be sent. It returns when nothing is left to do or
// releasing ends; life bounds each request.
func (t *Task) Run(life, releasing context.Context) {
	if len(t.templates) == 0 {
		return // the setup is off
	}
	if !t.putTemplates(life, releasing) {
		return
	}
	over := t.retention.try(life)
	close(t.ready)
	if !over {
		t.retention.retry(life, releasing)
	}
}

// RunDashboards sets OpenSearch Dashboards up. It returns like Run.
func (t *Task) RunDashboards(life, releasing context.Context) { t.dashboards.run(life, releasing) }

// putTemplates returns true when each template is in place or permanently rejected.
func (t *Task) putTemplates(life, releasing context.Context) bool {
	var rejections error
	for len(t.templates) > 0 {
		err := ApplyTemplate(life, t.exchange, t.templates[0], t.logger)
		if isRejected(err) {
			rejections = errors.Join(rejections, err)
		} else if err != nil {
			failure := deliver.Failure{Reason: deliver.ReasonSetup, Text: err.Error(), Advice: advice(err)}
			if t.retrier.Pause(life, releasing, failure) {
				continue
			}
			t.retrier.End(life, false)
			return false
		}
		t.templates = t.templates[1:]
	}
	if rejections != nil {
		t.logger.Error("OpenSearch rejects the setup: documents are sent without it, so their fields may get guessed types",
			zap.Error(rejections))
	}
	t.retrier.End(life, true) // rejected or not: OpenSearch responds, and documents are sent
	return true
}

func isRejected(err error) bool {
	_, ok := errors.AsType[*RejectedError](err)
	return ok
}

// advice returns what an operator can do about an error of the setup.
func advice(err error) string {
	if response, ok := errors.AsType[*StatusError](err); ok {
		return deliver.AdviceOnStatus(response.Status, "")
	}
	if failure, ok := errors.AsType[*deliver.Failure](err); ok {
		return failure.Advice
	}
	return ""
}

// exchange sends the setup's requests with a client.
func exchange(with *deliver.Client, timeout time.Duration) Exchange {
	return func(ctx context.Context, req Request) (int, []byte, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if req.ContentType == "" {
			req.ContentType = "application/json"
		}
		resp, err := with.Do(ctx, req.Method, req.Path, req.ContentType, req.Body)
		if err != nil {
			return 0, nil, deliver.NetworkFailure(err) // the client's own error has the URL
		}
		defer resp.Body.Close()
		response, err := io.ReadAll(resp.Body)
		return resp.StatusCode, response, err
	}
}
