// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyenv

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// The names of the login, its password and Dify's database in docs/security.md.
const (
	login    = "otelcol"
	password = "change-me"
	database = "dify"
)

// TestDocumentedRightsSuffice runs the statements of docs/security.md, and the collector with only these permissions.
func TestDocumentedRightsSuffice(t *testing.T) {
	role := fmt.Sprintf("%s_%d", login, os.Getpid())
	pg, db, name := startDatabase(t)
	grantRole(t, db, name, role)
	broker := grantRedis(t, role)

	c := collector.Start(t, collector.Options{Env: map[string]string{
		"DB_HOST": pg.Host, "DB_PORT": strconv.Itoa(pg.Port), "DB_DATABASE": name, "DB_USERNAME": role,
		"DB_PASSWORD":       password,
		"CELERY_BROKER_URL": broker, "OTELCOL_OPENSEARCH_URL": "http://127.0.0.1:1",
	}})
	waitForMetric(t, c, "otelcol_workflow_log_polls_total", `result="ok"`)
	endRun(t, db)
	waitForMetric(t, c, "otelcol_receiver_accepted_log_records_total", `receiver="workflow_log"`)
	waitForMetric(t, c, "otelcol_scraper_scraped_metric_points_total", `receiver="celery_queue"`)
	assert.NotContains(t, c.Log(), "permission denied")
	assert.NotContains(t, c.Log(), "NOPERM")

	cannotReadContent(t, pg, name, role)
}

// TestRightsAreTheSameInBothPlaces compares the page's SQL with that of the receiver's README.
func TestRightsAreTheSameInBothPlaces(t *testing.T) {
	page, readme := readFile(
		t, repo.Path("docs", "security.md"),
	), readFile(
		t, repo.Path("components", "workflowlogreceiver", "README.md"),
	)
	assert.NotEmpty(t, grants(page))
	assert.ElementsMatch(t, grants(page), grants(readme))
}

// grants returns the statements of a page that grant permissions on a table.
func grants(text string) []string {
	var statements []string
	_, blocks := parse(text)
	for _, b := range blocks {
		for statement := range strings.SplitSeq(b.text, ";") {
			if statement = strings.Join(strings.Fields(statement), " "); b.language == "sql" &&
				strings.HasPrefix(statement, "GRANT SELECT") {
				statements = append(statements, statement)
			}
		}
	}
	return statements
}

func startDatabase(t *testing.T) (*servers.Postgres, *pgxpool.Pool, string) {
	t.Helper()
	pg := servers.Run(t, servers.StartPostgres)
	dify := pg.NewDify(t, nil)
	return pg, dify.Pool, dify.Name
}

// grantRole runs the page's SQL, with the names of this test.
func grantRole(t *testing.T, db *pgxpool.Pool, name, role string) {
	t.Helper()
	blocks := blocksOf(t, "security.md", "sql", "CREATE ROLE")
	require.Len(t, blocks, 1)
	sql := strings.NewReplacer("DATABASE "+database, "DATABASE "+name, login, role).Replace(blocks[0])
	_, err := db.Exec(t.Context(), sql)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := db.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf("DROP OWNED BY %[1]s; DROP ROLE %[1]s", role))
		assert.NoError(t, err)
	})
}

// grantRedis runs the page's ACL command, and returns the broker's URL for that user.
func grantRedis(t *testing.T, role string) string {
	t.Helper()
	server, err := servers.StartRedis(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	options, err := redis.ParseURL(server.URL(1))
	require.NoError(t, err)
	admin := redis.NewClient(options)
	t.Cleanup(func() { assert.NoError(t, admin.Close()) })
	// What kombu stores when a worker declares a queue.
	require.NoError(t, admin.SAdd(t.Context(), "_kombu.binding.dataset", "dataset\x06\x16\x06\x16dataset").Err())

	blocks := blocksOf(t, "security.md", "", "ACL SETUSER")
	require.Len(t, blocks, 1)
	for line := range strings.Lines(strings.ReplaceAll(blocks[0], login, role)) {
		var command []any
		for word := range strings.FieldsSeq(line) {
			command = append(command, word)
		}
		require.NoError(t, admin.Do(t.Context(), command...).Err())
	}
	t.Cleanup(func() {
		assert.NoError(t, admin.Do(context.WithoutCancel(t.Context()), "ACL", "DELUSER", role).Err())
	})
	broker, err := url.Parse(server.URL(1))
	require.NoError(t, err)
	broker.User = url.UserPassword(role, password)
	cannotReadKeys(t, broker.String())
	return broker.String()
}

// cannotReadKeys checks that the user sees neither names of keys nor anything about keys that are no queue's.
func cannotReadKeys(t *testing.T, broker string) {
	t.Helper()
	options, err := redis.ParseURL(broker)
	require.NoError(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	require.NoError(t, client.LLen(t.Context(), "workflow_based_app_execution\x06\x163").Err())
	for _, command := range [][]any{
		{"SCAN", "0"}, {"KEYS", "*"}, {"EXISTS", "refresh_token:x"}, {"LRANGE", "dataset", "0", "1"}, {"GET", "dataset"},
	} {
		require.ErrorContains(t, client.Do(t.Context(), command...).Err(), "NOPERM", command)
	}
}

// endRun writes one run of one app with everything that the receiver looks up for it.
func endRun(t *testing.T, db schema.DB) {
	t.Helper()
	ctx, w := t.Context(), schema.NewWriter(db)
	tenant, app, workflow := uuid.NewString(), uuid.NewString(), uuid.NewString()
	require.NoError(t, w.CreateTenant(ctx, schema.Tenant{ID: tenant, Name: "Acme"}))
	require.NoError(t, w.CreateApp(ctx, schema.App{ID: app, TenantID: tenant, Name: "Translate", Mode: "workflow"}))
	run := schema.Run{
		ID: uuid.NewString(), TenantID: tenant, AppID: app, WorkflowID: workflow, CreatedBy: uuid.NewString(),
		CreatedAt: time.Now(),
	}
	require.NoError(t, w.StartRun(ctx, run))
	require.NoError(t, w.AppendLog(ctx, schema.AppLog{
		ID: uuid.NewString(), TenantID: tenant, AppID: app, WorkflowID: workflow, RunID: run.ID, CreatedBy: run.CreatedBy,
	}))
	require.NoError(
		t,
		w.EndRun(ctx, run.ID, schema.Outcome{Status: "succeeded", FinishedAt: time.Now(), TotalTokens: 42, TotalSteps: 3}),
	)
}

func waitForMetric(t *testing.T, c *collector.Collector, name, labels string) {
	t.Helper()
	wait.For(t, name, func(ctx context.Context) error {
		value, err := c.OwnMetric(ctx, name, labels)
		if err == nil && value == 0 {
			err = fmt.Errorf("%s is 0", name)
		}
		return err
	})
}

// cannotReadContent checks that the role can't read what users wrote.
func cannotReadContent(t *testing.T, pg *servers.Postgres, name, role string) {
	t.Helper()
	address, err := url.Parse(pg.URL(name))
	require.NoError(t, err)
	address.User = url.UserPassword(role, password)
	conn, err := pgx.Connect(t.Context(), address.String())
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, column := range []string{
		"inputs FROM workflow_runs", "outputs FROM workflow_node_executions", "answer FROM messages",
	} {
		_, err = conn.Exec(t.Context(), "SELECT "+column)
		require.ErrorContains(t, err, "permission denied", column)
	}
	var readOnly, timeout string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_setting('default_transaction_read_only'), "+
		"current_setting('statement_timeout')").Scan(&readOnly, &timeout))
	assert.Equal(t, "on 30s", readOnly+" "+timeout)
	_, err = conn.Exec(t.Context(), "CREATE TABLE mine (id int)")
	require.ErrorContains(t, err, "read-only transaction")
}
