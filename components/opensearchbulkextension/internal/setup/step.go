// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
)

// step is a part of the setup that documents do not wait for: it is retried until it succeeds or is permanently
// rejected. A nil step is done.
type step struct {
	do     func(ctx context.Context) error
	pauses backoff.Backoff
	logger *zap.Logger
	logged bool // that it failed
}

func newStep(of string, pauses backoff.Backoff, logger *zap.Logger, do func(ctx context.Context) error) *step {
	return &step{do: do, pauses: pauses, logger: logger.With(zap.String("of", of))}
}

// try reports whether the step is over.
func (s *step) try(ctx context.Context) bool {
	if s == nil {
		return true
	}
	err := s.do(ctx)
	switch {
	case err == nil:
	case isRejected(err):
		s.logger.Error("A part of the setup is rejected: it is retried after the next start", zap.Error(err))
	case ctx.Err() != nil:
		return false
	default:
		if !s.logged {
			s.logger.Warn("A part of the setup does not succeed yet: it is retried until it does; documents do not wait for it",
				zap.Error(err))
			s.logged = true
		}
		return false
	}
	return true
}

// retry returns when the step is over or releasing ends.
func (s *step) retry(life, releasing context.Context) {
	for s.pauses.Wait(releasing) {
		if s.try(life) {
			return
		}
	}
}

// run is the whole step.
func (s *step) run(life, releasing context.Context) {
	if !s.try(life) {
		s.retry(life, releasing)
	}
}
