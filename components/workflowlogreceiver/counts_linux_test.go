// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
)

// of returns the value of a gauge's point with the attributes, in the latest emission, or -1.
func (s *sink) of(name string, labels map[string]string) float64 {
	all := s.emissions()
	if len(all) == 0 {
		return -1
	}
	metric := pdatatest.Metric(all[len(all)-1], name)
	if metric.Name() == "" {
		return -1
	}
	for _, point := range metric.Gauge().DataPoints().All() {
		if pdatatest.Matches(point.Attributes(), labels) {
			return point.DoubleValue() + float64(point.IntValue())
		}
	}
	return -1
}

// ago is a time as the database sets it: in UTC on PostgreSQL, as Dify's sessions are, in the server's zone on MySQL.
func (d *database) ago(age time.Duration) string {
	if d.driver == driverMySQL {
		return "NOW() - INTERVAL " + sqlSeconds(age) + " SECOND"
	}
	return "timezone('UTC', now()) - INTERVAL '" + sqlSeconds(age) + " seconds'"
}

func sqlSeconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

func (d *database) insertDocument(t *testing.T, status string, age time.Duration) {
	t.Helper()
	d.exec(t, "INSERT INTO documents (id, tenant_id, dataset_id, name, data_source_info, indexing_status, created_at) "+
		"VALUES ('%s', '%s', '%s', 'secret', 'secret', '%s', %s)", uuid.NewString(), testTenant, testApp, status, d.ago(age))
}

func (d *database) insertTriggerLog(t *testing.T, status string, age time.Duration) {
	t.Helper()
	d.exec(t, "INSERT INTO workflow_trigger_logs (id, tenant_id, app_id, workflow_id, trigger_metadata, trigger_type, "+
		"trigger_data, inputs, status, queue_name, retry_count, created_by_role, created_by, created_at) VALUES "+
		"('%s', '%s', '%s', '%s', '{}', 'webhook', 'secret', 'secret', '%s', 'q', 0, 'end_user', 'x', %s)",
		uuid.NewString(), testTenant, testApp, testFlow, status, d.ago(age))
}

// Documents, trigger logs, triggers and feedback are counted by status, also by a value that is not known.
func testCounts(t *testing.T, db *database) {
	db.insert(t, newRun())
	db.insertMessage(t, "gpt-4o", "service-api", nil) // shows the time zone
	for status, n := range map[string]int{"completed": 3, "error": 2, "indexing": 1, "waiting": 2, "dreaming": 1} {
		for i := range n {
			db.insertDocument(t, status, time.Duration(i+1)*time.Hour)
		}
	}
	for _, status := range []string{"succeeded", "succeeded", "failed", "queued", "queued", "rate_limited", "novel"} {
		db.insertTriggerLog(t, status, 30*time.Minute)
	}
	for _, status := range []string{"enabled", "enabled", "unauthorized"} {
		db.exec(t, "INSERT INTO app_triggers (id, tenant_id, app_id, node_id, trigger_type, title, status) "+
			"VALUES ('%s', '%s', '%s', 'n', 'webhook', 'T', '%s')", uuid.NewString(), testTenant, testApp, status)
	}
	for _, rating := range []string{"like", "like", "dislike"} {
		db.exec(t, "INSERT INTO message_feedbacks (id, app_id, conversation_id, message_id, rating, content, from_source) "+
			"VALUES ('%s', '%s', '%s', '%s', '%s', 'secret', 'user')", uuid.NewString(), testApp, uuid.NewString(),
			uuid.NewString(), rating)
	}
	role := "counts_" + db.name
	db.createRole(t, role)
	defer db.dropRole(t, role)
	db.grant(t, role)
	cfg := db.config()
	cfg.TablesInterval = time.Second
	cfg.Username, cfg.Password = role, "hunter2"
	r := startHarness(t, cfg, newMemory())
	documents := func(status string) map[string]string {
		return map[string]string{"dify.document.indexing_status": status}
	}
	require.Eventually(t, func() bool { return r.of("dify.document.count", documents("error")) == 2 }, waitFor, tick)
	for status, n := range map[string]float64{
		"completed": 3, "indexing": 1, "waiting": 2, "_OTHER": 1, "parsing": 0, "paused": 0,
	} {
		assert.InDelta(t, n, r.of("dify.document.count", documents(status)), 0, status)
	}
	assert.InDelta(t, 7200, r.of("dify.document.oldest.age", documents("error")), 600)
	assert.InDelta(t, 3600, r.of("dify.document.oldest.age", documents("indexing")), 600)
	assert.InDelta(t, 0, r.of("dify.document.oldest.age", documents("parsing")), 0)
	assert.InDelta(t, -1, r.of("dify.document.oldest.age", documents("completed")), 0, "it is done")
	logs := func(status string) map[string]string { return map[string]string{"dify.trigger.log.status": status} }
	for status, n := range map[string]float64{"failed": 1, "queued": 2, "rate_limited": 1, "_OTHER": 1, "pending": 0} {
		assert.InDelta(t, n, r.of("dify.trigger.log.count", logs(status)), 0, status)
	}
	assert.InDelta(t, 1800, r.of("dify.trigger.log.oldest.age", logs("queued")), 600)
	assert.InDelta(t, 2, r.of("dify.trigger.count", map[string]string{"dify.trigger.status": "enabled"}), 0)
	assert.InDelta(t, 2, r.of("app.message.feedback", map[string]string{
		"dify.feedback.rating": "like", "dify.feedback.from_source": "user",
	}), 0)
	assert.InDelta(t, 0, r.of("app.message.feedback", map[string]string{
		"dify.feedback.rating": "dislike", "dify.feedback.from_source": "admin",
	}), 0)
	db.exec(t, "UPDATE documents SET indexing_status = 'completed'")
	require.Eventually(t, func() bool { return r.of("dify.document.count", documents("completed")) == 9 }, waitFor, tick)
	r.stop(t)
}

// A large table, one without its index, and one that the role may not read are left out, which is logged once.
func testCountsOff(t *testing.T, db *database) {
	db.insert(t, newRun())
	for range 50 {
		db.insertDocument(t, "error", time.Hour)
	}
	db.insertTriggerLog(t, "failed", time.Hour)
	db.change(t, "DROP INDEX workflow_trigger_log_status_idx")
	role := "off_" + db.name
	db.createRole(t, role)
	defer db.dropRole(t, role)
	db.grant(t, role)
	db.exec(t, "REVOKE SELECT (rating) ON message_feedbacks FROM %s", role)
	if db.driver == driverMySQL {
		db.exec(t, "ANALYZE TABLE documents")
	}
	cfg := db.config()
	cfg.TablesInterval, cfg.MaxScanSize = time.Second, 1
	cfg.Username, cfg.Password = role, "hunter2"
	r := startHarness(t, cfg, newMemory())
	const off = "not counted by status"
	require.Eventually(t, func() bool { return r.logged(off) >= 2 }, waitFor, tick)
	r.settled(t, db)
	time.Sleep(2 * cfg.TablesInterval) // two more times
	r.settled(t, db)
	var texts []string
	for _, entry := range r.log.FilterMessageSnippet(off).All() {
		texts = append(texts, entryText(entry))
	}
	assert.Contains(t, strings.Join(texts, " "), "larger than `max_scan_size`")
	assert.Contains(t, strings.Join(texts, " "), "lacks the index (status)")
	assert.Equal(t, 1, r.logged("feedback is not counted"))
	assert.InDelta(t, -1, r.of("dify.document.count", nil), 0)
	assert.InDelta(t, -1, r.of("dify.trigger.log.count", nil), 0)
	assert.InDelta(t, -1, r.of("app.message.feedback", nil), 0)
	assert.LessOrEqual(t, r.logged(off), 3)
	assert.Zero(t, r.logged("Reading Dify's database failed"))
	r.stop(t)
}
