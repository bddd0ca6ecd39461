// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"bufio"
	"compress/gzip"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
)

const (
	postgresBinaries = "/usr/lib/postgresql/15/bin"
	nobody           = 65534 // a server refuses to run as root
)

// database belongs to one test.
type database struct {
	driver                     string
	host, user, password, name string
	port                       int
	run                        func(statement string) error
	cutConnections             func(t *testing.T)
	connections                func(t *testing.T) int
}

func (d *database) exec(tb testing.TB, statement string, args ...any) {
	tb.Helper()
	require.NoError(tb, d.run(fmt.Sprintf(statement, args...)))
}

func (d *database) config() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Driver, cfg.Host, cfg.Port, cfg.Database = d.driver, d.host, d.port, d.name
	cfg.Username, cfg.Password = d.user, configopaque.String(d.password)
	cfg.TLS.Insecure = true
	cfg.Storage = &storageID
	cfg.StartAt = startAtBeginning
	cfg.PollInterval = 10 * time.Millisecond
	cfg.MetricsInterval = 50 * time.Millisecond
	return cfg
}

var databases atomic.Int64

func nextDatabase() string {
	return "dify_" + strconv.Itoa(os.Getpid()) + "_" + strconv.FormatInt(databases.Add(1), 10)
}

// --- PostgreSQL ---

type postgresServer struct {
	admin    *pgx.ConnConfig
	template string
}

// startPostgres uses the server in OTELCOL_TEST_POSTGRES_DSN, or starts one.
func startPostgres(tb testing.TB) *postgresServer {
	tb.Helper()
	dsn := os.Getenv("OTELCOL_TEST_POSTGRES_DSN")
	if dsn == "" {
		dir := serverDir(tb)
		initPostgres(tb, dir)
		dsn = bootPostgres(tb, dir)
	}
	return newPostgresServer(tb, dsn)
}

func initPostgres(tb testing.TB, dir string) {
	tb.Helper()
	runAs(
		tb, dir, filepath.Join(postgresBinaries, "initdb"), "-D", dir+"/data", "-U", "postgres", "-A", "trust", "-E",
		"UTF8", "--no-sync",
	)
}

// bootPostgres starts a server on the data in a folder.
func bootPostgres(tb testing.TB, dir string, options ...string) (dsn string) {
	tb.Helper()
	port := freePort(tb)
	args := []string{
		"-D", dir + "/data", "-k", dir, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "timezone=Asia/Shanghai",
	}
	for _, option := range options {
		args = append(args, "-c", option)
	}
	startProcess(tb, dir, syscall.SIGQUIT, filepath.Join(postgresBinaries, "postgres"), args...)
	return fmt.Sprintf("postgres://postgres:hunter2@127.0.0.1:%d/postgres?sslmode=disable", port)
}

func newPostgresServer(tb testing.TB, dsn string) *postgresServer {
	tb.Helper()
	admin, err := pgx.ParseConfig(dsn)
	require.NoError(tb, err)
	s := &postgresServer{admin: admin}
	require.Eventually(tb, func() bool { return s.run("SELECT 1") == nil }, time.Minute, 50*time.Millisecond)
	s.template = nextDatabase()
	require.NoError(tb, s.run("CREATE DATABASE "+s.template))
	s.load(tb, s.template, false)
	return s
}

func (s *postgresServer) connect(database string) (*pgx.Conn, error) {
	config := s.admin.Copy()
	config.Database = database
	return pgx.ConnectConfig(context.Background(), config)
}

func (s *postgresServer) run(statement string) error {
	conn, err := s.connect("postgres")
	if err != nil {
		return err
	}
	_, err = conn.Exec(context.Background(), statement)
	_ = conn.Close(context.Background())
	return err
}

func (s *postgresServer) newDatabase(tb testing.TB) *database {
	name := nextDatabase()
	require.NoError(tb, s.run("CREATE DATABASE "+name+" TEMPLATE "+s.template))
	conn, err := s.connect(name)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	var mu sync.Mutex // a connection serves one goroutine at a time
	return &database{
		driver: driverPostgreSQL, host: s.admin.Host, port: int(s.admin.Port), name: name,
		user: s.admin.User, password: s.admin.Password,
		run: func(statement string) error {
			mu.Lock()
			defer mu.Unlock()
			_, err := conn.Exec(context.Background(), statement)
			return err
		},
		cutConnections: func(t *testing.T) {
			_, err := conn.Exec(
				context.Background(),
				"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name "+
					"= 'otelcol-dify'",
			)
			require.NoError(t, err)
		},
		connections: func(t *testing.T) (n int) {
			require.NoError(t, conn.QueryRow(
				context.Background(),
				"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'otelcol-dify'",
			).Scan(&n))
			return n
		},
	}
}

// load runs the recorded dump, with its rows or with its schema alone.
func (s *postgresServer) load(tb testing.TB, database string, withRows bool) {
	conn, err := s.connect(database)
	require.NoError(tb, err)
	defer func() { _ = conn.Close(context.Background()) }()
	schema, rows := readDump(tb)
	_, err = conn.Exec(context.Background(), schema)
	require.NoError(tb, err)
	more, err := os.ReadFile(filepath.Join("testdata", "schema_more.sql"))
	require.NoError(tb, err)
	_, err = conn.Exec(context.Background(), "SET search_path = public;"+string(more))
	require.NoError(tb, err)
	if !withRows {
		return
	}
	for statement, data := range rows {
		_, err = conn.PgConn().CopyFrom(context.Background(), strings.NewReader(data), statement)
		require.NoError(tb, err)
	}
}

// readDump splits the recorded dump into its schema and its rows by COPY statement.
func readDump(tb testing.TB) (schema string, rows map[string]string) {
	f, err := os.Open(filepath.Join("testdata", "rows.sql.gz"))
	require.NoError(tb, err)
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	require.NoError(tb, err)
	content, err := io.ReadAll(unzipped)
	require.NoError(tb, err)

	rows = map[string]string{}
	var statements, data strings.Builder
	copying := ""
	for line := range strings.Lines(string(content)) {
		switch {
		case copying == "" && strings.HasPrefix(line, "COPY "):
			copying = strings.TrimSuffix(strings.TrimSpace(line), ";")
		case copying == "":
			statements.WriteString(line)
		case strings.TrimSpace(line) == `\.`:
			rows[copying] = data.String()
			copying = ""
			data.Reset()
		default:
			data.WriteString(line)
		}
	}
	return statements.String(), rows
}

// --- MySQL ---

type mysqlServer struct {
	config *mysql.Config
}

// startMySQL uses the server in OTELCOL_TEST_MYSQL_DSN, or starts a MariaDB.
func startMySQL(t *testing.T) *mysqlServer {
	t.Helper()
	return startMySQLIn(t, "+08:00", "")
}

// startMySQLIn starts it in a time zone. SYSTEM is the time zone of the environment.
func startMySQLIn(t *testing.T, zone, environment string) *mysqlServer {
	t.Helper()
	var config *mysql.Config
	if dsn := os.Getenv("OTELCOL_TEST_MYSQL_DSN"); dsn != "" && environment == "" {
		var err error
		config, err = mysql.ParseDSN(dsn)
		require.NoError(t, err)
	} else {
		dir, port := serverDir(t), freePort(t)
		runAs(t, dir, "/usr/bin/mariadb-install-db", "--no-defaults", "--datadir="+dir+"/data",
			"--auth-root-authentication-method=normal", "--skip-test-db")
		if environment != "" {
			t.Setenv("TZ", environment)
		}
		startProcess(t, dir, syscall.SIGTERM, "/usr/sbin/mariadbd", "--no-defaults",
			"--datadir="+dir+"/data", "--socket="+dir+"/s",
			"--port="+strconv.Itoa(port), "--bind-address=127.0.0.1",
			"--innodb-flush-log-at-trx-commit=0", "--default-time-zone="+zone)
		config = mysql.NewConfig()
		config.User, config.Net, config.Addr = "root", "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	config.MultiStatements = true
	config.Logger = &mysql.NopLogger{}
	s := &mysqlServer{config: config}
	require.Eventually(t, func() bool { return s.run("SELECT 1") == nil }, time.Minute, 50*time.Millisecond)
	return s
}

func (s *mysqlServer) open(database string) (*sql.DB, error) {
	config := s.config.Clone()
	config.DBName = database
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (s *mysqlServer) run(statement string) error {
	db, err := s.open("")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(context.Background(), statement)
	return err
}

func (s *mysqlServer) newDatabase(t *testing.T) *database {
	name := nextDatabase()
	require.NoError(t, s.run("CREATE DATABASE "+name+" CHARACTER SET utf8mb4"))
	schema, err := os.ReadFile(filepath.Join("testdata", "schema_mysql.sql"))
	require.NoError(t, err)
	db, err := s.open(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.ExecContext(context.Background(), string(schema))
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(s.config.Addr)
	require.NoError(t, err)
	portNumber, err := strconv.Atoi(port)
	require.NoError(t, err)
	const others = " FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
	ids := func(t *testing.T) (ids []int) {
		db.SetMaxOpenConns(1)
		rows, err := db.QueryContext(context.Background(), "SELECT id"+others)
		require.NoError(t, err)
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id int
			require.NoError(t, rows.Scan(&id))
			ids = append(ids, id)
		}
		require.NoError(t, rows.Err())
		return ids
	}
	return &database{
		driver: driverMySQL, host: host, port: portNumber, user: s.config.User, password: s.config.Passwd, name: name,
		run: func(statement string) error {
			_, err := db.ExecContext(context.Background(), statement) //nolint:gosec // a test's own statements
			return err
		},
		cutConnections: func(t *testing.T) {
			for _, id := range ids(t) {
				_, err := db.ExecContext(context.Background(), "KILL "+strconv.Itoa(id))
				require.NoError(t, err)
			}
		},
		connections: func(t *testing.T) int { return len(ids(t)) },
	}
}

// --- processes ---

// serverDir returns a path that is short, for the socket in it, and writable for the server's user.
func serverDir(tb testing.TB) string {
	dir, err := os.MkdirTemp("", "wl") //nolint:usetesting // a path of a test's name is too long for a socket
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Geteuid() == 0 {
		require.NoError(tb, os.Chown(dir, nobody, nobody))
	}
	return dir
}

func freePort(tb testing.TB) int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

func command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

func runAs(tb testing.TB, dir, program string, args ...string) {
	tb.Helper()
	require.FileExists(tb, program, "install the Debian packages postgresql-15 and mariadb-server")
	output, err := command(dir, program, args...).CombinedOutput()
	require.NoError(tb, err, string(output))
}

func startProcess(tb testing.TB, dir string, stop syscall.Signal, program string, args ...string) {
	tb.Helper()
	output, err := os.Create(filepath.Join(dir, "output"))
	require.NoError(tb, err)
	cmd := command(dir, program, args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	require.NoError(tb, cmd.Start())
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(stop)
		_ = cmd.Wait()
		_ = output.Close()
		if tb.Failed() {
			logTail(tb, output.Name())
		}
	})
}

func logTail(tb testing.TB, name string) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	var lines []string
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	tb.Logf("end of the server's output:\n%s", strings.Join(lines[max(0, len(lines)-20):], "\n"))
}
