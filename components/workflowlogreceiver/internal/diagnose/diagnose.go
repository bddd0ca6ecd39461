// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package diagnose checks Dify's database for `difyctl doctor`. It reads no rows.
package diagnose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/doctor/check"
)

const (
	connection = "database: connection"
	tables     = "database: tables"
	version    = "database: version"
	indexes    = "database: indexes"
	zone       = "database: time zone"
	lock       = "database: lock"
	clock      = "database: clock"

	maxSkew  = 5 * time.Second
	highSkew = time.Minute
)

// Settings are what is known of the database and of the collector.
type Settings struct {
	Address string // without credentials
	// Explain adds the likely fix to an error of the network.
	Explain func(error) error
	// Reads reports whether the collector that runs here reads the database.
	Reads bool
}

// Database checks a database.
func Database(ctx context.Context, connector source.Connector, set Settings) []check.Result {
	conn, err := connector.Connect(ctx)
	if err != nil {
		err = set.Explain(err)
		results := []check.Result{check.Failed(connection, err.Error(), variables(err))}
		for _, name := range []string{tables, version, indexes, zone, lock, clock} {
			results = append(results, check.Skipped(name, "no connection"))
		}
		return results
	}
	defer conn.Close(context.WithoutCancel(ctx))
	results := []check.Result{check.OK(connection, set.Address)}
	results = append(results, locked(ctx, conn, set.Reads))
	results = append(results, inspect(ctx, conn)...)
	return append(results, skew(ctx, conn))
}

// variables are what leads to an error.
func variables(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "`database`"):
		return "DB_DATABASE"
	case strings.Contains(text, "`password`"), strings.Contains(text, "`username`"),
		strings.Contains(text, "Access denied"):
		return "DB_USERNAME and DB_PASSWORD, as the database has them"
	case strings.Contains(text, "OTELCOL_DB_TLS_INSECURE"), strings.Contains(text, "TLS"):
		return "OTELCOL_DB_TLS_INSECURE"
	case strings.Contains(text, "pg_hba.conf"):
		return "the database's pg_hba.conf, or OTELCOL_DB_TLS_INSECURE"
	}
	return "DB_HOST, DB_PORT and DB_TYPE, and the collector's (Docker) network: OTELCOL_DIFY_NETWORK"
}

func locked(ctx context.Context, conn source.Conn, reads bool) check.Result {
	unlocked, err := conn.Lock(ctx)
	switch {
	case errors.Is(err, source.ErrLockHeld) && reads:
		return check.OK(lock, "the collector that runs here reads the database")
	case errors.Is(err, source.ErrLockHeld):
		return check.Warning(lock, "another collector reads this database, and this one waits until it stops",
			"stop the other collector, or remove workflow_log from one of them")
	case err != nil:
		return check.Failed(lock, err.Error(), "the rights of DB_USERNAME")
	case unlocked != nil:
		return check.Warning(lock, "the database can't be locked: "+unlocked.Error(),
			"make sure that only one collector reads it, or connect without the pooler (DB_HOST, DB_PORT)")
	}
	return check.OK(lock, "no other collector reads the database")
}

func inspect(ctx context.Context, conn source.Conn) []check.Result {
	schema, err := conn.Inspect(ctx)
	if err != nil {
		fix := "the rights of DB_USERNAME: the SQL in the README of workflow_log"
		if !strings.Contains(err.Error(), "grant SELECT") {
			fix = "DB_DATABASE, the role's search_path, or `workflow_log::schema`; Dify's migrations must have run"
		}
		return []check.Result{
			check.Failed(tables, err.Error(), fix), check.Skipped(version, ""), check.Skipped(indexes, ""),
			check.Skipped(zone, ""),
		}
	}
	return []check.Result{readable(schema), check.OK(version, generation(schema)), indexed(schema), zoned(schema.Zone)}
}

func readable(schema source.Schema) check.Result {
	var off []error
	for _, part := range slices.Sorted(maps.Keys(schema.Off)) {
		if reason := schema.Off[part]; !errors.Is(reason, source.ErrAbsent) || part == source.PartMessages {
			off = append(off, reason) // an older Dify lacks the other columns
		}
	}
	if err := errors.Join(off...); err != nil {
		return check.Warning(tables, "some columns can't be read, and what depends on them is left out: "+err.Error(),
			"the rights of DB_USERNAME: the SQL in the README of workflow_log")
	}
	return check.OK(tables, "all tables of Dify that are needed can be read")
}

// generation tells Dify's version by the indexes that its migrations create.
func generation(schema source.Schema) string {
	switch {
	case schema.NodesByRun == source.NodesByRunID && schema.MessagesByTime:
		return "tables of Dify 1.12.0 or later"
	case schema.RunsByTime:
		return "tables of Dify 1.11.3 or later"
	case schema.AppLogsByRun:
		return "tables of Dify 1.8.1 or later"
	}
	return "tables of Dify 1.0 or later"
}

func indexed(schema source.Schema) check.Result {
	if scans := schema.Scans(); len(scans) > 0 {
		return check.Warning(indexes, "each poll scans a table, so the database is read once a minute only; missing: "+
			strings.Join(scans, "; "), "upgrade Dify, or create the index")
	}
	return check.OK(indexes, "no read scans a table")
}

func zoned(z source.Zone) check.Result {
	switch {
	case !z.Known:
		return check.OK(zone, "not known yet: no row shows it")
	case z.Used:
		return check.OK(zone, "times that the database sets are in "+z.Name)
	}
	return check.OK(zone, "times are in UTC")
}

func skew(ctx context.Context, conn source.Conn) check.Result {
	begin := time.Now()
	now, err := conn.Now(ctx, 0)
	if err != nil {
		return check.Skipped(clock, ""+err.Error())
	}
	return Skew(clock, "the database's clock", now.UTC.Sub(begin.Add(time.Since(begin)/2)))
}

// Skew reports how far a clock is from this machine's.
func Skew(name, whose string, by time.Duration) check.Result {
	detail := fmt.Sprintf("%s differs from this machine's by %s", whose, by.Abs().Round(time.Second))
	fix := "synchronize the clocks (NTP)"
	switch {
	case by.Abs() > highSkew:
		return check.Failed(name, detail, fix)
	case by.Abs() > maxSkew:
		return check.Warning(name, detail, fix)
	}
	return check.OK(name, detail)
}
