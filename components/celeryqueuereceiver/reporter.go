// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"regexp"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
)

const (
	repeatEvery = time.Hour
	changeEvery = 5 * time.Minute
)

// reporter reports failed collections: in the log when they begin, each hour while they last, when the cause changes,
// and when they end; and as the component's status.
type reporter struct {
	logger  *zap.Logger
	host    component.Host
	failure logthrottle.Failure
}

func newReporter(logger *zap.Logger) reporter {
	return reporter{
		logger: logger, failure: logthrottle.Failure{RepeatEvery: repeatEvery, ChangeEvery: changeEvery},
	}
}

// number is what differs between two errors of one cause: ports of the client, durations.
var number = regexp.MustCompile(`\d+`)

func (r *reporter) collected(err error, now time.Time) {
	if err == nil {
		if attempts := r.failure.Ended(); attempts > 0 {
			r.logger.Info("Reading the queues works again", zap.Int("failed_attempts", attempts))
			componentstatus.ReportStatus(r.host, componentstatus.NewEvent(componentstatus.StatusOK))
		}
		return
	}
	attempts, log := r.failure.Failed(number.ReplaceAllString(err.Error(), "0"), now)
	if log {
		r.logger.Warn("Reading the queues failed; their lengths have a gap until it succeeds, and nothing else depends "+
			"on it", zap.Error(err), zap.Int("attempts", attempts))
	}
	if attempts == 1 {
		componentstatus.ReportStatus(r.host, componentstatus.NewRecoverableErrorEvent(err))
	}
}
