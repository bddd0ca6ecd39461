// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package health reports how the receiver is: in the log, as component status, and as the age of its data.
package health

import (
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
)

const (
	repeatEvery = time.Hour   // the same error
	changeEvery = time.Minute // another error of the same failure
)

// FailureLog logs a repeating failure: when it begins, at intervals while it lasts, and when it ends. It is not safe
// for concurrent use.
type FailureLog struct {
	logger         *zap.Logger
	onStart, onEnd string // messages
	throttle       logthrottle.Failure
}

// NewFailureLog returns a FailureLog with the messages for the beginning and the end of a failure.
func NewFailureLog(logger *zap.Logger, onStart, onEnd string) *FailureLog {
	return &FailureLog{
		logger: logger, onStart: onStart, onEnd: onEnd,
		throttle: logthrottle.Failure{RepeatEvery: repeatEvery, ChangeEvery: changeEvery},
	}
}

// Failed records a failed attempt.
func (l *FailureLog) Failed(err error) {
	if attempts, log := l.throttle.Failed(err.Error(), time.Now()); log {
		l.logger.Warn(l.onStart, zap.Error(err), zap.Int("attempts", attempts))
	}
}

// Ended records a successful attempt.
func (l *FailureLog) Ended() {
	if attempts := l.throttle.Ended(); attempts > 0 {
		l.logger.Info(l.onEnd, zap.Int("failed_attempts", attempts))
	}
}
