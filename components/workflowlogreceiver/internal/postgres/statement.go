// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// statement is one query, with its arguments as text and the function that receives its rows. The values are valid
// only during that call.
type statement struct {
	step string // names the operation in errors
	sql  string
	args []string
	row  func(values [][]byte)
}

// binaryResults requests all columns of a result in the binary format.
var binaryResults = []int16{1}

// query runs statements in one read-only transaction, with the statement timeout set for that transaction only.
// Everything is sent in one round trip.
func (c *session) query(ctx context.Context, statements ...statement) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(len(statements))*c.timeout+source.Grace)
	defer cancel()
	batch := &pgconn.Batch{}
	for _, sql := range c.prologue {
		batch.ExecParams(sql, nil, nil, nil, nil)
	}
	for _, s := range statements {
		batch.ExecParams(s.sql, s.params(), nil, nil, binaryResults)
	}
	batch.ExecParams("COMMIT", nil, nil, nil, nil)

	results := c.pg.PgConn().ExecBatch(ctx, batch)
	read := -len(c.prologue)
	for ; results.NextResult(); read++ {
		result := results.ResultReader()
		for result.NextRow() {
			if read >= 0 && read < len(statements) {
				statements[read].row(result.Values())
			}
		}
		if _, err := result.Close(); err != nil {
			break
		}
	}
	if err := results.Close(); err != nil {
		return explain(statements[min(max(read, 0), len(statements)-1)].step, err)
	}
	return nil
}

// prologue returns the statements that begin a transaction. Settings are local to it: a pooler may give the session to
// another client afterwards.
func prologue(set source.Settings) []string {
	statements := []string{
		"BEGIN READ ONLY",
		"SET LOCAL statement_timeout = " + strconv.FormatInt(set.StatementTimeout.Milliseconds(), 10),
	}
	if set.Schema != "" {
		statements = append(statements, "SET LOCAL search_path = "+pgx.Identifier{set.Schema}.Sanitize()+", pg_catalog")
	}
	if zone := set.TimeZone; zone != "" {
		if zone[0] == '+' || zone[0] == '-' { // as a name, its sign would have the opposite meaning
			zone = "INTERVAL '" + zone + "' HOUR TO MINUTE"
		} else {
			zone = "'" + zone + "'"
		}
		statements = append(statements, "SET LOCAL TIME ZONE "+zone)
	}
	return statements
}

func (s statement) params() [][]byte {
	params := make([][]byte, len(s.args))
	for i, arg := range s.args {
		params[i] = []byte(arg)
	}
	return params
}

const nilUUID = "00000000-0000-0000-0000-000000000000"

// place formats a position as the two arguments of a row comparison.
func place(p source.Position) (createdAt, id string) {
	id = p.ID
	if id == "" {
		id = nilUUID
	}
	return datetime(p.CreatedAt), id
}

func datetime(t time.Time) string {
	if t.IsZero() {
		return "-infinity"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000")
}

// array formats IDs as a PostgreSQL array.
func array(values []string) string { return "{" + strings.Join(values, ",") + "}" }
