// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// rejection is why Sentry rejected an item. The pusher logs it, once per reason.
type rejection struct{ error }

func (r rejection) Unwrap() error { return r.error }

// filterLog removes log lines that exporterhelper writes for each request: that it drops what Sentry rejected, which
// the pusher logs, and at a shutdown that it drops what is left, which is wrong if the queue is durable.
func filterLog(logger *zap.Logger, durable bool) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return filterCore{core, durable} }))
}

type filterCore struct {
	zapcore.Core
	durable bool
}

func (c filterCore) With(fields []zapcore.Field) zapcore.Core {
	return filterCore{c.Core.With(fields), c.durable}
}

func (c filterCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write checks with the wrapped core only now, since that may be one that samples.
func (c filterCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok && c.removes(entry.Level, err) {
			return nil
		}
	}
	if checked := c.Core.Check(entry, nil); checked != nil {
		checked.Write(fields...)
	}
	return nil
}

func (c filterCore) removes(level zapcore.Level, err error) bool {
	if _, ok := errors.AsType[rejection](err); ok {
		return true
	}
	_, left := errors.AsType[*leftError](err)
	return left && c.durable && level >= zapcore.ErrorLevel
}
