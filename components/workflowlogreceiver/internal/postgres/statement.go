// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

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
	batch.ExecParams("BEGIN READ ONLY", nil, nil, nil, nil)
	batch.ExecParams("SET LOCAL statement_timeout = "+strconv.FormatInt(c.timeout.Milliseconds(), 10), nil, nil, nil, nil)
	for _, s := range statements {
		batch.ExecParams(s.sql, s.params(), nil, nil, binaryResults)
	}
	batch.ExecParams("COMMIT", nil, nil, nil, nil)

	results := c.pg.PgConn().ExecBatch(ctx, batch)
	read := -2 // BEGIN and SET come first
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
