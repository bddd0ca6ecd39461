// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/storagetest"
)

// changing returns a time zone, as a POSIX rule, whose clocks change soon: back by an hour, or forward.
func changing(back bool, in time.Duration) (zone string, at time.Time) {
	const daylight, standard = -4 * time.Hour, -5 * time.Hour
	at = time.Now().UTC().Add(in).Truncate(time.Second)
	rule := func(at time.Time) string { return fmt.Sprintf("%d/%s", at.YearDay()-1, at.Format("15:04:05")) }
	begins, ends := rule(at.AddDate(0, 0, -100)), rule(at.Add(daylight))
	if !back {
		begins, ends = rule(at.Add(standard)), rule(at.AddDate(0, 0, 100))
	}
	return "AAA5BBB4," + begins + "," + ends, at
}

// insertDefaults inserts a message with its answer, with the time that the database sets, less an age.
func (d *database) insertDefaults(t *testing.T, age time.Duration) {
	t.Helper()
	d.exec(t, "INSERT INTO messages (id, app_id, model_provider, model_id, conversation_id, inputs, query, message, "+
		"message_unit_price, answer, answer_unit_price, currency, from_source, invoke_from, message_tokens, "+
		"provider_response_latency, created_at) VALUES ('%s', '%s', 'openai', 'gpt-4o', '%s', '{}', 'secret', '{}', 0, '', "+
		"0, 'USD', 'api', 'service-api', 1, 1, LOCALTIMESTAMP - INTERVAL '%d' SECOND)",
		uuid.NewString(), testApp, uuid.NewString(), int(age.Seconds()))
}

// testZone counts the messages since the start once each, and reports an app log when it is old enough.
func testZone(t *testing.T, db *database) {
	for _, age := range []time.Duration{20 * time.Hour, 9 * time.Hour, 6 * time.Hour, 3 * time.Hour, time.Minute} {
		db.insertDefaults(t, age)
	}
	storage, cfg := newMemory(), db.config()
	cfg.StartAt = startAtEnd
	r := startHarness(t, cfg, storage)
	require.Eventually(t, func() bool { return r.logged("There is no checkpoint") == 1 }, waitFor, tick)
	db.insertDefaults(t, 0)
	db.insertDefaults(t, 0)
	r.waitCounter(t, 2, difysemconv.MetricTokenUsage, nil)
	r.settled(t, db)
	r.stop(t)

	db.insertDefaults(t, 0)
	r = startHarness(t, cfg, storage)
	db.insertDefaults(t, 0)
	r.waitCounter(t, 4, difysemconv.MetricTokenUsage, nil)
	r.settled(t, db)
	assert.InDelta(t, 4, r.counter(difysemconv.MetricTokenUsage, nil), 0)
	r.stop(t)
}

// testZoneOfAppLogs reports an app log without a run when it is old enough, with its time.
func testZoneOfAppLogs(t *testing.T, db *database) {
	run, young := newRun(), newRun()
	cfg := unknownConfig(db)
	cfg.OutcomeWait = time.Hour
	insert := func(run runRow, age time.Duration) {
		db.exec(t, "INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, "+
			"created_by_role, created_by, created_at) VALUES ('%s', '%s', '%s', '%s', '%s', 'web-app', 'end_user', '%s', "+
			"LOCALTIMESTAMP - INTERVAL '%d' SECOND)", uuid.NewString(), testTenant, run.app, testFlow, run.id, testUser,
			int(age.Seconds()))
	}
	insert(run, 2*time.Hour)
	insert(young, 30*time.Minute)
	with := newRun() // what shows the time zone
	insert(with, 0)
	db.insert(t, with)
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, unknownEvent, run.id)
	r.settled(t, db)
	assert.Equal(t, []string{run.id}, r.delivered(unknownEvent))
	at := r.record(t, unknownEvent, run.id).Timestamp().AsTime()
	assert.WithinDuration(t, time.Now().Add(-2*time.Hour), at, 5*time.Minute)
	r.stop(t)
}

// testChangeOfHour counts each message once while the clocks change.
func testChangeOfHour(t *testing.T, back bool, inZone func(zone string) *database) {
	var db *database
	var at time.Time
	var r *harness
	var storage *storagetest.Memory
	var cfg *Config
	for in := 15 * time.Second; db == nil || time.Now().After(at); in *= 2 { // on a slow machine it may have passed
		var zone string
		zone, at = changing(back, in)
		db, storage = inZone(zone), newMemory()
		cfg = db.config()
		cfg.StartAt = startAtEnd
		r = startHarness(t, cfg, storage)
		require.Eventually(t, func() bool { return r.logged("There is no checkpoint") == 1 }, waitFor, tick)
	}
	messages := 0.0
	insert := func() {
		db.insertDefaults(t, 0)
		messages++
		time.Sleep(200 * time.Millisecond) // messages are spread over the change itself
	}
	for time.Now().Before(at.Add(2 * time.Second)) {
		insert()
	}
	r.waitCounter(t, messages, difysemconv.MetricTokenUsage, nil)
	r.stop(t)
	insert()
	r = startHarness(t, cfg, storage)
	insert()
	r.waitCounter(t, messages, difysemconv.MetricTokenUsage, nil)
	r.settled(t, db)
	assert.InDelta(t, messages, r.counter(difysemconv.MetricTokenUsage, nil), 0)
	r.stop(t)
}

// fixedZones are the databases' time zones, apart from those with a change of hour.
var fixedZones = []string{"+00:00", "-05:00", "+08:00"}

func TestMySQLZones(t *testing.T) {
	s := startMySQL(t)
	for _, zone := range fixedZones {
		t.Run(zone, func(t *testing.T) {
			require.NoError(t, s.run("SET GLOBAL time_zone = '"+zone+"'"))
			testZone(t, s.newDatabase(t))
			testZoneOfAppLogs(t, s.newDatabase(t))
		})
	}
	require.NoError(t, s.run("SET GLOBAL time_zone = '+00:00'"))
	t.Run("configured", func(t *testing.T) {
		db := s.newDatabase(t)
		cfg := db.config()
		cfg.TimeZone = "Atlantis/Capital"
		r := startHarness(t, cfg, newMemory())
		const failed = "Reading Dify's database failed"
		require.Eventually(t, func() bool { return r.logged(failed) > 0 }, waitFor, tick)
		assert.Contains(t, entryText(r.log.FilterMessageSnippet(failed).All()[0]), "an offset such as +08:00")
		r.stop(t)
		cfg.TimeZone, cfg.StartAt = "+08:00", startAtEnd
		r = startHarness(t, cfg, newMemory())
		require.Eventually(t, func() bool { return r.logged("There is no checkpoint") == 1 }, waitFor, tick)
		db.insertDefaults(t, -8*time.Hour)
		r.waitCounter(t, 1, difysemconv.MetricTokenUsage, nil)
		r.stop(t)
	})
	for name, back := range map[string]bool{"clocks go back": true, "clocks go forward": false} {
		t.Run(name, func(t *testing.T) {
			testChangeOfHour(t, back, func(zone string) *database {
				return startMySQLIn(t, "SYSTEM", zone).newDatabase(t)
			})
		})
	}
}

func TestPostgreSQLZones(t *testing.T) {
	s := startPostgres(t)
	// inZone returns a database in a time zone, and whose inserts, which stand for Dify's, are in it or in UTC.
	inZone := func(t *testing.T, zone string, local bool) *database {
		db := s.newDatabase(t)
		db.exec(t, "ALTER DATABASE %s SET timezone = '%s'", db.name, zone)
		if !local {
			zone = "UTC"
		}
		db.exec(t, "SET timezone = '%s'", zone)
		return db
	}
	for offset, zone := range map[string]string{"+00:00": "UTC", "-05:00": "EST5", "+08:00": "CST-8"} {
		for sessions, local := range map[string]bool{"in UTC, as Dify's are": false, "in the database's time zone": true} {
			t.Run(offset+" and sessions "+sessions, func(t *testing.T) {
				testZone(t, inZone(t, zone, local))
				testZoneOfAppLogs(t, inZone(t, zone, local))
			})
		}
	}
	for name, back := range map[string]bool{"clocks go back": true, "clocks go forward": false} {
		t.Run(name, func(t *testing.T) {
			testChangeOfHour(t, back, func(zone string) *database {
				db := inZone(t, zone, true)
				db.insertDefaults(t, 5*time.Second)
				return db
			})
		})
	}
	t.Run("a time zone that no row shows yet", func(t *testing.T) {
		for _, zone := range []string{"EST5", "CST-8"} {
			db := inZone(t, zone, true)
			db.insertDefaults(t, 100*time.Hour)
			cfg := db.config()
			cfg.StartAt = startAtEnd
			r := startHarness(t, cfg, newMemory())
			require.Eventually(t, func() bool { return r.logged("There is no checkpoint") == 1 }, waitFor, tick)
			require.Equal(t, 1, r.logged("No row yet shows"))
			db.insertDefaults(t, 0)
			r.waitCounter(t, 1, difysemconv.MetricTokenUsage, nil)
			require.Eventually(t, func() bool { return r.logged("are in its time zone") == 1 }, waitFor, tick)
			db.insertDefaults(t, 0)
			r.waitCounter(t, 2, difysemconv.MetricTokenUsage, nil)
			r.stop(t)
		}
	})
	t.Run("configured", func(t *testing.T) {
		for configured, zone := range map[string]string{"+08:00": "CST-8", "America/Bogota": "EST5"} {
			db := inZone(t, zone, true)
			db.exec(t, "ALTER DATABASE %s SET timezone = 'UTC'", db.name)
			cfg := db.config()
			cfg.StartAt, cfg.TimeZone = startAtEnd, configured
			r := startHarness(t, cfg, newMemory())
			require.Eventually(t, func() bool { return r.logged("There is no checkpoint") == 1 }, waitFor, tick)
			db.insertDefaults(t, 0)
			r.waitCounter(t, 1, difysemconv.MetricTokenUsage, nil)
			r.stop(t)
		}
	})
}
