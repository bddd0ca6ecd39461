// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
)

// repeatAfter is how often an ongoing failure is logged again.
const repeatAfter = 5 * time.Minute

// failureState logs a repeating failure: when it begins, at intervals while it lasts, and when it ends.
type failureState struct {
	logger    *zap.Logger
	onStart   string // log messages
	onEnd     string
	attempts  int
	lastError string
	logged    time.Time
}

func (t *failureState) failed(err error, now time.Time) {
	t.attempts++
	if t.attempts > 1 && now.Sub(t.logged) < repeatAfter && err.Error() == t.lastError {
		return
	}
	if t.attempts > 1 && now.Sub(t.logged) < time.Minute { // a different error of the ongoing failure
		return
	}
	t.logged, t.lastError = now, err.Error()
	t.logger.Warn(t.onStart, zap.Error(err), zap.Int("attempts", t.attempts))
}

func (t *failureState) ended() {
	if t.attempts == 0 {
		return
	}
	t.logger.Info(t.onEnd, zap.Int("failed_attempts", t.attempts))
	t.attempts, t.lastError = 0, ""
}

// status reports the receiver's status to the pipelines that share it.
type status struct {
	mu    sync.Mutex // guards what follows
	hosts []component.Host
	last  *componentstatus.Event
}

func (s *status) add(host component.Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = append(s.hosts, host)
	if s.last != nil {
		componentstatus.ReportStatus(host, s.last)
	}
}

// report reports the status to all hosts; nil means healthy. An unchanged status is not reported again.
func (s *status) report(err error) {
	event := componentstatus.NewEvent(componentstatus.StatusOK)
	if err != nil {
		event = componentstatus.NewRecoverableErrorEvent(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last.Status() == event.Status() {
		return
	}
	s.last = event
	for _, host := range s.hosts {
		componentstatus.ReportStatus(host, event)
	}
}
