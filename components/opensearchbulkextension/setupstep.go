// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"context"

	"go.uber.org/zap"
)

// setupStep is a part of the set-up that holds no documents up: it is repeated until it is done or refused for good. A nil
// setupStep is done.
type setupStep struct {
	do     func(ctx context.Context) error
	pauses retrier // only for the length of its pauses
	logger *zap.Logger
	logged bool // that it failed
}

func newSetupStep(of string, shared *outage, logger *zap.Logger, do func(ctx context.Context) error) *setupStep {
	return &setupStep{do: do, pauses: retrier{outage: shared}, logger: logger.With(zap.String("of", of))}
}

// try reports whether the setupStep is over.
func (e *setupStep) try(ctx context.Context) bool {
	if e == nil {
		return true
	}
	err := e.do(ctx)
	switch {
	case err == nil:
	case isRefusal(err):
		e.logger.Error("A part of the set-up is refused: it is tried again after the next start", zap.Error(err))
	case ctx.Err() != nil:
		return false
	default:
		if !e.logged {
			e.logger.Warn("A part of the set-up does not succeed yet: it is repeated until it does; documents do not wait for it", zap.Error(err))
			e.logged = true
		}
		return false
	}
	return true
}

// repeat returns when the setupStep is over or the collector stops.
func (e *setupStep) repeat(life, releasing context.Context) {
	for n := 1; wait(life, releasing, nil, e.pauses.backoff(n)); n++ {
		if e.try(life) {
			return
		}
	}
}

// run is the whole setupStep.
func (e *setupStep) run(life, releasing context.Context) {
	if !e.try(life) {
		e.repeat(life, releasing)
	}
}
