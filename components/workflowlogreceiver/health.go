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

// repeatAfter is how often a failure that goes on is logged again.
const repeatAfter = 5 * time.Minute

// trouble logs a failure that repeats: when it begins, now and then while it lasts, and when it is over.
type trouble struct {
	logger    *zap.Logger
	began     string // messages
	over      string
	attempts  int
	lastError string
	logged    time.Time
}

func (t *trouble) failed(err error, now time.Time) {
	t.attempts++
	if t.attempts > 1 && now.Sub(t.logged) < repeatAfter && err.Error() == t.lastError {
		return
	}
	if t.attempts > 1 && now.Sub(t.logged) < time.Minute { // another error, of a failure that is known
		return
	}
	t.logged, t.lastError = now, err.Error()
	t.logger.Warn(t.began, zap.Error(err), zap.Int("attempts", t.attempts))
}

func (t *trouble) ended() {
	if t.attempts == 0 {
		return
	}
	t.logger.Info(t.over, zap.Int("failed_attempts", t.attempts))
	t.attempts, t.lastError = 0, ""
}

// status reports the receiver's state to the pipelines that share it.
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

// report tells the hosts, nil being health. The same state is not told twice.
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
