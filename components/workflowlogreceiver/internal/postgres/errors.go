// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	codeDenied  = "42501"
	codeTimeout = "57014"
	codeIdle    = "57P05"
	codeAbsent  = "42P01"
)

// hints say what to do about an error, by SQLSTATE.
var hints = map[string]string{
	"28000":    "check `username` and `tls`",
	"28P01":    "check `username` and `password`",
	"3D000":    "check `database`",
	codeDenied: "grant SELECT on it to the role in `username`",
	"42703": "the table differs from the one that Dify 1.0 and later create: check `database`, and that Dify's " +
		"migrations have run",
	"22023": "check `time_zone`",
	codeAbsent: "the table does not exist: check `database`, that Dify's migrations have run, and that the role's " +
		"search_path has the schema of the tables; otherwise set `schema`",
	"53300":     "the server has no connections left",
	codeTimeout: "the statement ran longer than `statement_timeout`: is an index missing?",
}

const refusedTLS = "server refused TLS connection"

// explain names the step that failed and what to do about it, on one line.
func explain(step string, err error) error {
	hint := ""
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr):
		hint = hints[pgErr.Code]
	case strings.Contains(err.Error(), refusedTLS):
		hint = "the server does not offer TLS: set `tls::insecure: true` if the network is trusted"
	}
	if pgErr != nil && pgErr.Code == codeIdle {
		return fmt.Errorf("%s: %w: %w", step, source.ErrIdle, oneLine{err})
	}
	if hint == "" {
		return fmt.Errorf("%s: %w", step, oneLine{err})
	}
	return fmt.Errorf("%s: %w: %s", step, oneLine{err}, hint)
}

// oneLine puts errors of several attempts, which pgx joins by line breaks, on one line of the log.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }
func (e oneLine) Unwrap() error { return e.error }
