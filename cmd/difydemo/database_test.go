// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/postgres"
	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// TestGivenServer checks that a server named by the environment is used, and left unchanged.
func TestGivenServer(t *testing.T) {
	server, err := postgres.Start(t.Context(), "p@ss/word")
	require.NoError(t, err)
	defer func() { assert.NoError(t, server.Close()) }()
	conn, err := pgx.Connect(
		t.Context(),
		"postgres://postgres@127.0.0.1/postgres?sslmode=disable&password=p%40ss%2Fword&port="+
			strconv.Itoa(int(server.Port)),
	)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	databases := func() (names []string) {
		rows, queryErr := conn.Query(t.Context(), "SELECT datname::text FROM pg_database ORDER BY 1")
		require.NoError(t, queryErr)
		names, queryErr = pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, queryErr)
		return names
	}
	before := databases()

	t.Setenv("DB_HOST", "production.invalid") // an operator's shell with Dify's .env
	t.Setenv(serverVariable, "postgres://postgres:p%40ss%2Fword@"+server.Host()+":"+strconv.Itoa(int(server.Port)))
	db, err := openDatabase(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, "dify", db.env["DB_DATABASE"], "a real Dify's database is not touched")
	assert.Equal(t, server.Host(), db.env["DB_HOST"])
	assert.Equal(t, "p@ss/word", db.env["DB_PASSWORD"])
	assert.Len(t, databases(), len(before)+1)
	require.NoError(
		t, db.rows.CreateTenant(t.Context(), schema.Tenant{ID: "4062b193-7acf-49d8-88fa-e1cb22331307", Name: "Acme"}),
	)
	require.NoError(t, db.close(t.Context()))
	assert.Equal(t, before, databases())
}

func TestWrongServerVariable(t *testing.T) {
	for _, value := range []string{"host", "postgres://host", "postgres://u:sec%ret@host"} {
		t.Setenv(serverVariable, value)
		_, err := openDatabase(t.Context())
		require.ErrorContains(t, err, "OTELCOL_DEMO_POSTGRES_URL is not a URL like postgres://user:password@host:5432")
		assert.NotContains(t, err.Error(), "sec%ret")
	}
}
