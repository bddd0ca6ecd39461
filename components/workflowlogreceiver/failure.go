// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
)

const (
	repeatEvery = 5 * time.Minute // the same error
	changeEvery = time.Minute     // another error of the same failure
)

// failureLog logs a repeating failure: when it begins, at intervals while it lasts, and when it ends. It is not safe for
// concurrent use.
type failureLog struct {
	logger         *zap.Logger
	onStart, onEnd string // messages
	throttle       logthrottle.Failure
}

func newFailureLog(logger *zap.Logger, onStart, onEnd string) *failureLog {
	return &failureLog{
		logger: logger, onStart: onStart, onEnd: onEnd,
		throttle: logthrottle.Failure{RepeatEvery: repeatEvery, ChangeEvery: changeEvery},
	}
}

func (l *failureLog) failed(err error) {
	if attempts, log := l.throttle.Failed(err.Error(), time.Now()); log {
		l.logger.Warn(l.onStart, zap.Error(err), zap.Int("attempts", attempts))
	}
}

func (l *failureLog) ended() {
	if attempts := l.throttle.Ended(); attempts > 0 {
		l.logger.Info(l.onEnd, zap.Int("failed_attempts", attempts))
	}
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
