// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
)

const (
	// saveInterval is the most that a crash in the middle of a backlog makes the pipeline see again.
	saveInterval    = 500 * time.Millisecond
	publishInterval = time.Second
	firstSaveRetry  = 20 * time.Millisecond
	maxSaveRetry    = 10 * time.Second
	lastSaveTimeout = 2 * time.Second
)

// save stores the state. A storage that cannot take it, such as a full disk, is waited for: the state must not go on
// without it.
func (r *reader) save(ctx context.Context) error {
	pause := backoff.Backoff{Initial: firstSaveRetry, Max: maxSaveRetry}
	for {
		saved, err := r.state.save(ctx, r.client, r.cfg)
		if err == nil {
			r.unpublished = r.unpublished || saved
			r.saved = time.Now()
			r.storage.Ended()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.telemetry.WorkflowLogCheckpointFailures.Add(ctx, 1)
		r.storage.Failed(err)
		r.status.Report(err)
		if !pause.Wait(ctx) {
			return ctx.Err()
		}
	}
}

// saveNowAndThen is for the middle of a backlog.
func (r *reader) saveIfDue(ctx context.Context) error {
	if time.Since(r.saved) < saveInterval {
		return nil
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	r.succeeded(ctx)
	r.publish(false)
	return nil
}

// saveLast keeps what was told since the last saving from being told again after the next start.
func (r *reader) saveOnShutdown(ctx context.Context) {
	if r.state == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveTimeout)
	defer cancel()
	if _, err := r.state.save(ctx, r.client, r.cfg); err != nil {
		r.storage.Failed(err)
	}
}

// publish gives the emitter the metrics as they are saved, not too often while a backlog is read.
func (r *reader) publish(always bool) {
	if r.emitter == nil || !always && (!r.unpublished || time.Since(r.published) < min(publishInterval, r.cfg.PollInterval)) {
		return
	}
	now := time.Now()
	md, pending := r.state.metrics.Build(r.recorder.Resource, r.recorder.Scope, now, r.cfg.MetricsInterval)
	r.emitter.Publish(md)
	r.unpublished, r.published = pending, now
}
