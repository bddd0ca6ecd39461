// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"errors"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// refusal is why Sentry refused an item. The pusher says it once.
type rejection struct{ error }

func (r rejection) Unwrap() error { return r.error }

// quiet leaves out what exporterhelper would say of each request: that it drops what Sentry refused, which was said, and
// at a shutdown that it drops what stays in the storage, which is not so.
func quiet(logger *zap.Logger, kept bool) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return quietCore{core, kept} }))
}

type quietCore struct {
	zapcore.Core
	kept bool
}

func (c quietCore) With(fields []zapcore.Field) zapcore.Core {
	return quietCore{c.Core.With(fields), c.kept}
}

func (c quietCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write asks the core only now, since it may be one that samples.
func (c quietCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok && c.leavesOut(entry.Level, err) {
			return nil
		}
	}
	if checked := c.Core.Check(entry, nil); checked != nil {
		checked.Write(fields...)
	}
	return nil
}

func (c quietCore) leavesOut(level zapcore.Level, err error) bool {
	if _, rejected := errors.AsType[rejection](err); rejected {
		return true
	}
	_, left := errors.AsType[*leftError](err)
	return left && c.kept && level >= zapcore.ErrorLevel
}
