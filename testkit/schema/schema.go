// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package schema creates the tables of Dify's database that telemetry is read from, and writes their rows as Dify
// does: a run is inserted as running and committed when it starts, and updated in place when it ends.
package schema

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SQL creates Dify's tables and indexes in an empty PostgreSQL database, without superuser privileges or extensions.
//
//go:embed dify.sql
var SQL string

// DB is a database connection. *pgx.Conn, *pgxpool.Pool and pgx.Tx implement it.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Open returns a pool whose sessions run in UTC, as Dify's do: the server's default writes
// workflow_app_logs.created_at.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	return pgxpool.NewWithConfig(ctx, cfg)
}

// Create creates the tables, unless they exist.
func Create(ctx context.Context, db DB) error {
	var exists bool
	if err := db.QueryRow(ctx, "SELECT to_regclass('workflow_runs') IS NOT NULL").Scan(&exists); err != nil {
		return fmt.Errorf("look for Dify's tables: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := db.Exec(ctx, SQL); err != nil {
		return fmt.Errorf("create Dify's tables: %w", err)
	}
	return nil
}
