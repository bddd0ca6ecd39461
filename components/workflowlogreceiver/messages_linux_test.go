// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/record"
)

// fail ends a message as Dify does if the model, or anything before it, fails: the request's status is 200.
func (d *database) fail(t *testing.T, message, failure string) {
	t.Helper()
	d.exec(t, "UPDATE messages SET status = 'error', error = %s, from_end_user_id = '%s' WHERE id = '%s'",
		quoteOrNull(failure), testUser, message)
}

// messages returns the records of messages.
func (s *sink) messages() []plog.LogRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []plog.LogRecord
	for _, r := range s.records {
		if r.EventName() == difysemconv.EventMessageRun {
			found = append(found, r)
		}
	}
	return found
}

func (s *sink) message(t *testing.T, id string) plog.LogRecord {
	t.Helper()
	found := s.messages()
	i := slices.IndexFunc(found, func(r plog.LogRecord) bool {
		return pdatatest.Str(r.Attributes(), difysemconv.AttrMessageID) == id
	})
	require.GreaterOrEqual(t, i, 0, "no record of the message %s", id)
	return found[i]
}

func (r *harness) waitMessages(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.messages()) >= n }, waitFor, tick, "%d failed messages", n)
	require.Len(t, r.messages(), n)
}

// A failed message is reported and counted once, whenever it fails, and across a restart. That of a chatflow is a link.
func testFailedMessages(t *testing.T, db *database) {
	db.insertNames(t)
	atOnce := db.insertMessage(t, "gpt-4o", "service-api", nil)
	db.fail(t, atOnce, "[openai] Rate limit")
	answered := db.insertMessage(t, "gpt-4o", "service-api", nil)
	db.answer(t, answered, 3, 4, 0)
	storage := newMemory()
	r := startHarness(t, db.config(), storage)
	r.waitMessages(t, 1)
	got := r.message(t, atOnce)
	assert.Equal(t, plog.SeverityNumberError, got.SeverityNumber())
	assert.WithinDuration(t, time.Now(), got.Timestamp().AsTime(), 10*time.Minute, "in UTC, whatever the column's zone is")
	attrs := got.Attributes().AsRaw()
	assert.NotEmpty(t, attrs["dify.conversation_id"])
	delete(attrs, "dify.conversation_id")
	assert.NotEmpty(t, attrs["dify.message.created_at"])
	delete(attrs, "dify.message.created_at")
	assert.Equal(t, map[string]any{
		"event.name":               "dify.message.run",
		"log.record.uid":           record.UID("dify.message.run", atOnce),
		"dify.tenant_id":           testTenant,
		"dify.workspace.name":      "Acme",
		"dify.app_id":              testApp,
		"dify.app.name":            "Translate",
		"dify.app.mode":            "workflow",
		"dify.message_id":          atOnce,
		"dify.created_by_role":     "end_user",
		"dify.created_by":          testUser,
		"dify.message.status":      "error",
		"dify.message.invoke_from": "service-api",
		"dify.message.error":       "[openai] Rate limit",
		"dify.message.duration":    0.0,
		"exception.type":           "Error",
		"exception.message":        "[openai] Rate limit",
		"gen_ai.request.model":     "gpt-4o",
		"gen_ai.provider.name":     "langgenius/openai/openai",
	}, attrs)
	labels := map[string]string{"dify.app_id": testApp, "dify.message.invoke_from": "service-api"}
	r.waitCounter(t, 2, difysemconv.MetricMessageTotal, labels)
	r.waitCounter(t, 1, difysemconv.MetricMessageFailure, labels)
	r.waitCounter(t, 1, difysemconv.MetricMessageSuccess, labels)

	// One that fails later, one that waits for a person, a chatflow's, and one of a chatflow that failed before its run.
	later := db.insertMessage(t, "gpt-4o", "something new", nil)
	paused := db.insertMessage(t, "gpt-4o", "web-app", nil)
	db.exec(t, "UPDATE messages SET status = 'paused' WHERE id = '%s'", paused)
	run := newRun().as(difysemconv.StatusFailed)
	db.insert(t, run)
	linked := db.insertMessage(t, "", "web-app", &run)
	early := db.insertMessage(t, "", "web-app", nil)
	r.settled(t, db)
	db.fail(t, linked, "of the run")
	db.fail(t, early, "")
	r.waitMessages(t, 3)
	assert.Equal(t, plog.SeverityNumberInfo, r.message(t, linked).SeverityNumber(), "the run has the failure")
	attrs = r.message(t, linked).Attributes().AsRaw()
	assert.Equal(t, run.id, attrs["dify.workflow_run_id"])
	assert.NotContains(t, attrs, "exception.type")
	assert.Equal(t, plog.SeverityNumberError, r.message(t, early).SeverityNumber())
	r.stop(t)

	db.fail(t, later, "timeout")
	db.answer(t, paused, 1, 1, 0)
	db.exec(t, "UPDATE messages SET status = 'normal' WHERE id = '%s'", paused)
	r = startHarness(t, db.config(), storage)
	r.waitMessages(t, 1)
	assert.Equal(t, "timeout", pdatatest.Str(r.message(t, later).Attributes(), difysemconv.AttrMessageError))
	r.waitCounter(t, 5, difysemconv.MetricMessageTotal, nil)
	r.waitCounter(t, 3, difysemconv.MetricMessageFailure, nil)
	r.waitCounter(t, 1, difysemconv.MetricMessageFailure, map[string]string{"dify.message.invoke_from": "_OTHER"})
	r.waitCounter(t, 2, difysemconv.MetricMessageSuccess, nil)
	r.settled(t, db)
	assert.Len(t, r.messages(), 1)
}

// A message that becomes visible late is found, with one second for many.
func testLateMessages(t *testing.T, db *database) {
	cfg := db.config()
	cfg.PageSize = 2
	first := db.insertMessage(t, "gpt-4o", "service-api", nil)
	db.fail(t, first, "x")
	r := startHarness(t, cfg, newMemory())
	r.waitMessages(t, 1)
	for range 5 {
		late := db.insertMessage(t, "gpt-4o", "service-api", nil)
		db.exec(t, "UPDATE messages SET created_at = created_at - INTERVAL '5' MINUTE WHERE id = '%s'", late)
		db.fail(t, late, "x")
	}
	r.waitMessages(t, 6)
	r.waitCounter(t, 6, difysemconv.MetricMessageFailure, nil)
	r.settled(t, db)
	assert.Len(t, r.messages(), 6)
}

// Without the rights that are newer than others, the rest works, and what is missing is logged once.
func testMessagesWithoutErrors(t *testing.T, db *database) {
	db.exec(t, "ALTER TABLE messages RENAME COLUMN error TO error_away")
	failed := db.insertMessage(t, "gpt-4o", "service-api", nil)
	db.exec(t, "UPDATE messages SET status = 'error' WHERE id = '%s'", failed)
	r := startHarness(t, db.config(), newMemory())
	r.waitMessages(t, 1)
	assert.NotContains(t, r.message(t, failed).Attributes().AsRaw(), "dify.message.error")
	assert.Equal(t, plog.SeverityNumberError, r.message(t, failed).SeverityNumber())
	r.waitCounter(t, 1, difysemconv.MetricMessageFailure, nil)
	db.cutConnections(t)
	r.settled(t, db)
	assert.Equal(t, 1, r.logged("records of failed messages have neither the error"))
}
