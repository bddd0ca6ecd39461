// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const withoutLock = "reads it without a lock"

// TestPostgreSQLDegrades reads with fewer privileges, and from other objects, than Dify's migrations make.
func TestPostgreSQLDegrades(t *testing.T) {
	s := startPostgres(t)
	t.Run("lock denied", func(t *testing.T) { testLockDenied(t, s.newDatabase(t)) })
	t.Run("partitions", func(t *testing.T) { testPartitions(t, s.newDatabase(t)) })
	t.Run("views", func(t *testing.T) { testViews(t, s.newDatabase(t)) })
	t.Run("a schema outside the search path", func(t *testing.T) { testSchema(t, s.newDatabase(t)) })
	t.Run("idle timeout", func(t *testing.T) { testIdleTimeout(t, s.newDatabase(t)) })
}

func TestMySQLDegrades(t *testing.T) {
	s := startMySQL(t)
	t.Run("lock refused", func(t *testing.T) { testLockRefused(t, s.newDatabase(t)) })
	t.Run("partitions", func(t *testing.T) {
		db := s.newDatabase(t)
		db.exec(t, "ALTER TABLE workflow_app_logs PARTITION BY KEY () PARTITIONS 4")
		var runs []runRow
		for range 20 {
			runs = append(runs, newRun())
			db.insertOldAppLog(t, runs[len(runs)-1], time.Hour)
		}
		r := startHarness(t, unknownConfig(db), newMemory())
		r.waitDelivered(t, unknownEvent, idsOf(runs)...)
	})
	t.Run("views", func(t *testing.T) {
		db := s.newDatabase(t)
		db.insertNames(t)
		run := newRun()
		appLog := db.insertAppLog(t, run)
		db.insert(t, run)
		views := db.name + "_views"
		db.exec(t, "CREATE DATABASE %s", views)
		for _, table := range source.Names() {
			db.exec(t, "CREATE VIEW %s.%s AS SELECT * FROM %s.%s", views, table, db.name, table)
		}
		cfg := db.config()
		cfg.Database = views
		r := startHarness(t, cfg, newMemory())
		r.waitDelivered(t, runEvent, run.id)
		attrs := r.record(t, runEvent, run.id).Attributes()
		assert.Equal(t, appLog, pdatatest.Str(attrs, difysemconv.AttrWorkflowAppLogID))
		assert.Contains(t, entryText(r.log.FilterMessageSnippet("lacks an index").All()[0]), "views")
	})
}

func testLockDenied(t *testing.T, db *database) {
	role := "unlocked_" + db.name
	db.createRole(t, role)
	defer db.dropRole(t, role)
	db.grant(t, role)
	db.exec(t, "REVOKE EXECUTE ON FUNCTION pg_try_advisory_lock(bigint) FROM PUBLIC")
	run, next := newRun(), newRun()
	db.insert(t, run)
	cfg := db.config()
	cfg.Username, cfg.Password = role, "hunter2"
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, run.id)
	db.cutConnections(t)
	db.insert(t, next)
	r.waitDelivered(t, runEvent, run.id, next.id)
	require.Equal(t, 1, r.logged(withoutLock))
	text := entryText(r.log.FilterMessageSnippet(withoutLock).All()[0])
	assert.Contains(t, text, "grant EXECUTE on function pg_catalog.pg_try_advisory_lock(bigint)")
	assert.NotContains(t, text, "SELECT")
	r.stop(t)
}

func testPartitions(t *testing.T, db *database) {
	const rows = 12_000 // several reads in each partition
	db.exec(t, "ALTER TABLE workflow_app_logs RENAME TO former_app_logs")
	db.exec(t, "CREATE TABLE workflow_app_logs (LIKE former_app_logs INCLUDING DEFAULTS, PRIMARY KEY (id)) "+
		"PARTITION BY HASH (id)")
	for part := range 3 {
		db.exec(t, "CREATE TABLE app_logs_%d PARTITION OF workflow_app_logs FOR VALUES WITH (MODULUS 3, REMAINDER %d)",
			part, part)
	}
	db.exec(t, "CREATE INDEX ON workflow_app_logs (workflow_run_id)")
	db.exec(t, "ALTER TABLE workflow_runs RENAME TO former_runs")
	db.exec(t, "CREATE TABLE workflow_runs (LIKE former_runs INCLUDING DEFAULTS, PRIMARY KEY (id, created_at)) "+
		"PARTITION BY RANGE (created_at)")
	db.exec(t, "CREATE TABLE runs_default PARTITION OF workflow_runs DEFAULT")
	db.exec(t, "CREATE INDEX ON workflow_runs (created_at, id)")
	db.insertOldAppLog(t, newRun(), time.Hour)
	db.exec(t, "INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, "+
		"created_by_role, created_by, created_at) SELECT gen_random_uuid(), tenant_id, app_id, workflow_id, "+
		"gen_random_uuid(), created_from, created_by_role, created_by, created_at "+
		"FROM workflow_app_logs, generate_series(1, %d)", rows)
	run := newRun()
	appLog := db.insertAppLog(t, run)
	db.insert(t, run)

	r := startHarness(t, unknownConfig(db), newMemory())
	require.Eventually(t, func() bool { return len(r.delivered(unknownEvent)) == rows+1 }, waitFor, tick)
	r.waitDelivered(t, runEvent, run.id)
	attrs := r.record(t, runEvent, run.id).Attributes()
	assert.Equal(t, appLog, pdatatest.Str(attrs, difysemconv.AttrWorkflowAppLogID))
	assert.Zero(t, r.logged("lacks an index"))
	young := newRun()
	db.insertOldAppLog(t, young, 2*time.Second)
	require.Eventually(t, func() bool { return len(r.delivered(unknownEvent)) == rows+2 }, waitFor, tick)
	r.stop(t)
}

func testViews(t *testing.T, db *database) {
	db.insertNames(t)
	run, lost := newRun(), newRun()
	appLog := db.insertAppLog(t, run)
	db.insertOldAppLog(t, lost, time.Hour)
	db.insert(t, run)
	role := "views_" + db.name
	db.createRole(t, role)
	defer db.dropRole(t, role)
	db.exec(t, "CREATE SCHEMA reporting")
	db.exec(t, "GRANT USAGE ON SCHEMA reporting TO %s", role)
	db.exec(t, "ALTER ROLE %s SET search_path = reporting", role)
	for _, table := range source.Names() {
		db.exec(t, "CREATE VIEW reporting.%s AS SELECT * FROM public.%s", table, table)
		db.exec(t, "GRANT SELECT ON reporting.%s TO %s", table, role)
	}
	cfg := unknownConfig(db)
	cfg.Username, cfg.Password = role, "hunter2"
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, run.id)
	r.waitDelivered(t, unknownEvent, lost.id)
	attrs := r.record(t, runEvent, run.id).Attributes()
	assert.Equal(t, appLog, pdatatest.Str(attrs, difysemconv.AttrWorkflowAppLogID))
	r.settled(t, db)
	assert.Zero(t, r.logged("failed"))
	assert.Zero(t, r.logged("lacks an index"), "the indexes of the tables serve")
	r.stop(t)
}

func testSchema(t *testing.T, db *database) {
	run := newRun()
	db.insert(t, run)
	db.exec(t, `CREATE SCHEMA "Dify's"`)
	for _, table := range source.Names() {
		db.exec(t, `ALTER TABLE %s SET SCHEMA "Dify's"`, table)
	}
	r := startHarness(t, db.config(), newMemory())
	const failed = "Reading Dify's database failed"
	require.Eventually(t, func() bool { return r.logged(failed) > 0 }, waitFor, tick)
	text := entryText(r.log.FilterMessageSnippet(failed).All()[0])
	assert.Contains(t, text, "search_path")
	assert.Contains(t, text, "`schema`")
	assert.Contains(t, text, "tenants", "every table is named")
	r.stop(t)

	cfg := db.config()
	cfg.Schema = "Dify's"
	r = startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, run.id)
	assert.Zero(t, r.logged("cannot be read"))
	r.stop(t)
}

func testIdleTimeout(t *testing.T, db *database) {
	db.exec(t, "ALTER DATABASE %s SET idle_session_timeout = '500ms'", db.name)
	cfg := db.config()
	cfg.PollInterval = time.Second
	r := startHarness(t, cfg, newMemory())
	var runs []runRow
	for range 4 {
		runs = append(runs, newRun())
		db.insert(t, runs[len(runs)-1])
		r.waitDelivered(t, runEvent, idsOf(runs)...)
	}
	assert.Zero(t, r.logged("failed"))
	assert.Positive(t, r.logged("ended between two polls"))
	r.stop(t)
}

// testLockRefused reads through a proxy that refuses the lock as Percona XtraDB Cluster does in strict mode.
func testLockRefused(t *testing.T, db *database) {
	run := newRun()
	db.insert(t, run)
	cfg := db.config()
	cfg.Port = startRefuser(t, net.JoinHostPort(db.host, strconv.Itoa(db.port)), "GET_LOCK",
		1105, "Percona-XtraDB-Cluster prohibits use of GET_LOCK with pxc_strict_mode = ENFORCING")
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, run.id)
	require.Equal(t, 1, r.logged(withoutLock))
	assert.Contains(t, entryText(r.log.FilterMessageSnippet(withoutLock).All()[0]), "pxc_strict_mode")
	r.stop(t)
}

// startRefuser forwards connections of MySQL's protocol, but responds to statements with a word by an error.
func startRefuser(t *testing.T, server, word string, code uint16, message string) (port int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	refusal := append(binary.LittleEndian.AppendUint16([]byte{0xff}, code), "#HY000"+message...)
	serve := func(client net.Conn) {
		defer func() { _ = client.Close() }()
		upstream, dialErr := net.Dial("tcp", server)
		if dialErr != nil {
			return
		}
		defer func() { _ = upstream.Close() }()
		go func() {
			_, _ = io.Copy(client, upstream)
			_ = client.Close()
		}()
		for {
			header := make([]byte, 4) // the length, in three bytes, and a sequence number
			if _, readErr := io.ReadFull(client, header); readErr != nil {
				return
			}
			payload := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
			if _, readErr := io.ReadFull(client, payload); readErr != nil {
				return
			}
			to, packet := upstream, slices.Concat(header, payload)
			if bytes.Contains(payload, []byte(word)) {
				to, packet = client, append([]byte{byte(len(refusal)), byte(len(refusal) >> 8), 0, 1}, refusal...)
			}
			if _, writeErr := to.Write(packet); writeErr != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, acceptErr := listener.Accept()
			if acceptErr != nil {
				return
			}
			go serve(client)
		}
	}()
	_, text, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	port, err = strconv.Atoi(text)
	require.NoError(t, err)
	return port
}
