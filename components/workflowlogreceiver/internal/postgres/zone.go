// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// A column of type timestamp has no time zone, and no catalog has the time zone of Dify's sessions: Dify sets UTC,
// unless DB_SESSION_TIMEZONE_OVERRIDE is empty. So it is determined from rows whose time is known, and only where the
// server's time zone differs from UTC at some time of the year. A cast between timestamp and timestamptz uses the
// transaction's time zone. Times are compared as local ones, since a local time may occur twice.
const (
	sqlClock = `SELECT clock_timestamp() AT TIME ZONE 'UTC', clock_timestamp()::timestamp,
	(clock_timestamp() - make_interval(secs => $1::float8))::timestamp`
	sqlLocal = `SELECT $1::timestamptz::timestamp`

	sqlZone = `SELECT current_setting('TimeZone'), bool_or(at::timestamp <> at AT TIME ZONE 'UTC')::int::int8
	FROM generate_series(now(), now() + interval '1 year', interval '1 month') AS at`

	// How much later than a run the rows that belong to it seem to be.
	sqlPairsOfAppLogs = `SELECT extract(epoch FROM l.created_at - r.created_at)::float8,
	extract(epoch FROM l.created_at - (r.created_at AT TIME ZONE 'UTC')::timestamp)::float8
	FROM (SELECT id, created_at FROM workflow_runs WHERE isfinite(created_at)
	ORDER BY created_at DESC, id DESC LIMIT 100) r
	JOIN workflow_app_logs l ON l.workflow_run_id = r.id WHERE isfinite(l.created_at)`
	sqlPairsOfMessages = `SELECT extract(epoch FROM m.created_at - r.created_at)::float8,
	extract(epoch FROM m.created_at - (r.created_at AT TIME ZONE 'UTC')::timestamp)::float8
	FROM (SELECT workflow_run_id, created_at FROM messages WHERE isfinite(created_at)
	ORDER BY created_at DESC, id DESC LIMIT 100) m
	JOIN workflow_runs r ON r.id = m.workflow_run_id WHERE isfinite(r.created_at)`
	// Within an hour after clocks were set back, the newest row is one from before.
	sqlNewestMessage = `SELECT extract(epoch FROM created_at - (clock_timestamp() AT TIME ZONE 'UTC'))::float8,
	extract(epoch FROM created_at - greatest(clock_timestamp()::timestamp,
	(clock_timestamp() - interval '1 hour')::timestamp + interval '1 hour'))::float8
	FROM messages WHERE isfinite(created_at) ORDER BY created_at DESC, id DESC LIMIT 1`
	sqlNewestAnswer = `SELECT max(created_at + least(greatest(latency, 0), 86400) * interval '1 second')
	FROM (SELECT created_at, provider_response_latency AS latency FROM messages WHERE isfinite(created_at)
	ORDER BY created_at DESC, id DESC LIMIT 100) AS newest`
)

func (c *session) findZone(ctx context.Context) (zone source.Zone, err error) {
	differs := false
	err = c.query(ctx, statement{"read the time zone", sqlZone, nil, func(values [][]byte) {
		zone.Name, differs = string(values[0]), integer(values[1]) != 0
	}})
	switch {
	case err != nil:
		return zone, err
	case !differs:
		return source.Zone{Name: source.ZoneUTC, Known: true}, nil
	case c.zone != nil:
		return *c.zone, nil
	}
	pairs, newest, err := c.zoneSamples(ctx)
	return zone.Decide(pairs, newest), err
}

// zoneSamples reads only what has an index.
func (c *session) zoneSamples(ctx context.Context) (pairs []source.ZoneSample, newest *source.ZoneSample, err error) {
	sample := func(values [][]byte) source.ZoneSample {
		return source.ZoneSample{UTC: float(values[0]), Local: float(values[1])}
	}
	pair := func(values [][]byte) { pairs = append(pairs, sample(values)) }
	var statements []statement
	if c.schema.RunsByTime && c.schema.AppLogsByRun {
		statements = append(statements, statement{"compare app logs with runs", sqlPairsOfAppLogs, nil, pair})
	}
	if c.schema.MessagesByTime {
		statements = append(statements,
			statement{"compare messages with runs", sqlPairsOfMessages, nil, pair},
			statement{"read the newest message", sqlNewestMessage, nil, func(values [][]byte) {
				found := sample(values)
				newest = &found
			}})
	}
	if len(statements) == 0 {
		return nil, nil, nil
	}
	err = c.query(ctx, statements...)
	return pairs, newest, err
}

// Now returns, while the time zone is not known, the earlier of the two possible local times: nothing is then taken
// for older than it is.
func (c *session) Now(ctx context.Context, back time.Duration) (source.Clock, error) {
	var clock source.Clock
	err := c.query(ctx, statement{"read the clock", sqlClock, []string{seconds(back)}, func(values [][]byte) {
		clock = source.NewClock(timestamp(values[0]), timestamp(values[1]), timestamp(values[2]), back)
	}})
	if !c.schema.Zone.Used && (c.schema.Zone.Known || clock.Local.After(clock.UTC)) {
		clock.Local = clock.UTC
	}
	return clock, err
}

// Local returns, while the time zone is not known, the earlier of the two possible times, but nothing after the end of
// the newest message.
func (c *session) Local(ctx context.Context, at time.Time) (time.Time, error) {
	zone := c.schema.Zone
	if at.IsZero() || zone.Known && !zone.Used {
		return at, nil
	}
	local := at
	statements := []statement{{"convert a time", sqlLocal, []string{at.UTC().Format(time.RFC3339Nano)}, func(v [][]byte) {
		local = timestamp(v[0])
	}}}
	newest := time.Time{}
	if !zone.Known && c.schema.MessagesByTime {
		statements = append(statements, statement{"read the newest messages", sqlNewestAnswer, nil, func(v [][]byte) {
			if v[0] != nil {
				newest = timestamp(v[0]).Add(time.Microsecond)
			}
		}})
	}
	err := c.query(ctx, statements...)
	if zone.Known {
		return local, err
	}
	if at.Before(local) {
		local = at
	}
	if !newest.IsZero() && newest.Before(local) {
		local = newest
	}
	return local, err
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
