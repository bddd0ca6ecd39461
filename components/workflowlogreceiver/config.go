// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/configcheck"
	"github.com/otelcol-dify/otelcol-dify/components/internal/installation"
	"github.com/otelcol-dify/otelcol-dify/components/internal/neterr"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/checkpoint"
)

// Values of Config.Driver. They are the values of Dify's DB_TYPE; the last two speak MySQL's protocol.
const (
	driverPostgreSQL = "postgresql"
	driverMySQL      = "mysql"
	driverOceanBase  = "oceanbase"
	driverSeekDB     = "seekdb"
)

// Values of Config.StartAt that are not a time.
const (
	startAtEnd       = "end"
	startAtBeginning = "beginning"
)

const (
	portPostgreSQL = 5432
	portMySQL      = 3306

	// maxConnectedInterval is the longest poll interval between whose polls the connection is kept. It is well below the
	// time after which the MySQL server closes an idle connection.
	maxConnectedInterval = 5 * time.Minute

	maxPageSize = 10_000
)

var durationRanges = map[string]configcheck.Range{
	"poll_interval": {Min: 100 * time.Millisecond, Max: time.Hour},
	"look_back":     {Min: time.Second, Max: configcheck.Year},
	"outcome_wait":  {Min: time.Second, Max: configcheck.Year},
	// Databases that were restored from an archive have old runs.
	"max_run_age":       {Min: time.Second, Max: 100 * configcheck.Year},
	"statement_timeout": {Min: 10 * time.Millisecond, Max: time.Hour},
	"tables_interval":   {Min: time.Second, Max: configcheck.Day, Zero: "leaves the sizes of tables out"},
	"metrics_interval":  {Min: 100 * time.Millisecond, Max: time.Hour},
}

// timeZone matches names and offsets, and nothing that would have to be quoted in a statement.
var timeZone = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_/+-]*|[+-]\d{2}:\d{2})?$`)

var drivers = []string{driverPostgreSQL, driverMySQL, driverOceanBase, driverSeekDB}

// Config is the receiver's section of the collector's configuration.
type Config struct {
	// Driver is the kind of database: Dify's DB_TYPE.
	Driver string `mapstructure:"driver"`
	// Installation is the name of this Dify, if there are several, on the receiver's own metrics.
	Installation string `mapstructure:"installation"`
	// Host is the database server's name, address, or the absolute path of a Unix socket.
	Host string `mapstructure:"host"`
	// Port is the server's port. Zero means the driver's default port.
	Port int `mapstructure:"port"`
	// Username is the role that reads. It needs SELECT on some tables and nothing else.
	Username string `mapstructure:"username"`
	// Password of Username.
	Password configopaque.String `mapstructure:"password"`
	// Database is the name of Dify's database.
	Database string `mapstructure:"database"`
	// Schema is PostgreSQL's schema with Dify's tables, if it is not in the role's search path.
	Schema string `mapstructure:"schema"`
	// TimeZone is the time zone of the times that the database sets by itself, a name or an offset such as +08:00. Empty:
	// it is determined.
	TimeZone string `mapstructure:"time_zone"`
	// TLS configures the connection to the database.
	TLS configtls.ClientConfig `mapstructure:"tls"`

	// Storage is the storage extension that keeps the checkpoint.
	Storage *component.ID `mapstructure:"storage"`
	// AdoptCheckpoint is the address of a database, as an error about the checkpoint reports it. The checkpoint of
	// that database may be used for this one because both are the same database under two names.
	AdoptCheckpoint string `mapstructure:"adopt_checkpoint"`
	// StartAt is where to begin when there is no checkpoint: end, beginning, or an RFC 3339 time.
	StartAt string `mapstructure:"start_at"`

	// PollInterval is the pause between two polls.
	PollInterval time.Duration `mapstructure:"poll_interval"`
	// LookBack is how late, relative to its creation time, a run may become visible and still be reported at once.
	LookBack time.Duration `mapstructure:"look_back"`
	// OutcomeWait is how long an app log row may exist without its run before it is reported alone.
	OutcomeWait time.Duration `mapstructure:"outcome_wait"`
	// MaxRunAge is the age at which a run that has not ended is reported as stuck.
	MaxRunAge time.Duration `mapstructure:"max_run_age"`
	// PageSize is the maximum number of runs read, and delivered, at once.
	PageSize int `mapstructure:"page_size"`
	// StatementTimeout is the time after which the database cancels a statement of the receiver.
	StatementTimeout time.Duration `mapstructure:"statement_timeout"`

	// MaxApps is the number of apps that get metric series of their own.
	MaxApps int `mapstructure:"max_apps"`
	// MetricsInterval is the longest time between two emissions of the metrics.
	MetricsInterval time.Duration `mapstructure:"metrics_interval"`

	// TablesInterval is how often the sizes of Dify's tables are read from the catalog, and rows are counted by status.
	// Zero means never.
	TablesInterval time.Duration `mapstructure:"tables_interval"`

	// MaxScanSize is the size of a table's rows in bytes up to which its rows are counted by status. Zero means never.
	MaxScanSize int64 `mapstructure:"max_scan_size"`

	// decoding is the error of Unmarshal, which Validate returns.
	decoding error
	// prevent unkeyed literal initialization
	_ struct{}
}

var _ confmap.Unmarshaler = (*Config)(nil)

func createDefaultConfig() component.Config {
	return &Config{
		Driver:           driverPostgreSQL,
		Host:             "localhost",
		Username:         "postgres",
		Database:         "dify",
		TLS:              configtls.NewDefaultClientConfig(),
		StartAt:          startAtEnd,
		PollInterval:     time.Second,
		LookBack:         15 * time.Minute,
		OutcomeWait:      time.Hour,
		MaxRunAge:        24 * time.Hour,
		PageSize:         1000,
		StatementTimeout: 10 * time.Second,
		MaxApps:          2000,
		MetricsInterval:  15 * time.Second,
		TablesInterval:   5 * time.Minute,
		MaxScanSize:      256 << 20,
	}
}

// Unmarshal also accepts a time for `start_at` without quotes, which YAML parses as a time and not as a string. It
// leaves its errors to Validate, which returns them with all others.
func (cfg *Config) Unmarshal(conf *confmap.Conf) error {
	if at, ok := conf.Get("start_at").(time.Time); ok {
		text := confmap.NewFromStringMap(map[string]any{"start_at": at.Format(time.RFC3339Nano)})
		if err := conf.Merge(text); err != nil {
			return err
		}
	}
	cfg.decoding = configcheck.Decode(conf, cfg)
	return nil
}

// Validate reports all errors of the configuration at once.
func (cfg *Config) Validate() error {
	return errors.Join(
		cfg.decoding, installation.Validate(cfg.Installation), cfg.validateDatabase(), cfg.validateStart(),
		configcheck.Durations(cfg, durationRanges), cfg.validateLimits(),
	)
}

func (cfg *Config) validateDatabase() error {
	var errs error
	if !slices.Contains(drivers, cfg.Driver) {
		errs = errors.Join(errs, fmt.Errorf("`driver` is %q: must be one of %s", cfg.Driver, strings.Join(drivers, ", ")))
	}
	if cfg.Host == "" {
		errs = errors.Join(errs, errors.New("`host` is empty: set it to the host of Dify's database (DB_HOST)"))
	}
	if cfg.Port < 0 || cfg.Port > 65535 {
		errs = errors.Join(
			errs, fmt.Errorf("`port` is %d: must be 1 to 65535, or 0 for the driver's default port", cfg.Port),
		)
	}
	if cfg.Username == "" {
		errs = errors.Join(
			errs, errors.New("`username` is empty: set it to a role that may read Dify's tables (DB_USERNAME)"),
		)
	}
	if cfg.Database == "" {
		errs = errors.Join(errs, errors.New("`database` is empty: set it to the name of Dify's database (DB_DATABASE)"))
	}
	if cfg.Schema != "" && cfg.protocol() != driverPostgreSQL {
		errs = errors.Join(
			errs, fmt.Errorf("`schema` is %q: only `driver: postgresql` has schemas; use `database`", cfg.Schema),
		)
	}
	if !timeZone.MatchString(cfg.TimeZone) {
		errs = errors.Join(errs, fmt.Errorf("`time_zone` is %q: must be a name such as Asia/Shanghai, or an offset such as "+
			"+08:00", cfg.TimeZone))
	}
	return errs
}

func (cfg *Config) validateStart() error {
	var errs error
	if cfg.Storage == nil {
		errs = errors.Join(
			errs,
			errors.New("`storage` is missing: set it to the ID of a storage extension, such as file_storage/checkpoint"),
		)
	}
	if _, _, err := cfg.start(); err != nil {
		errs = errors.Join(errs, err)
	}
	return errs
}

func (cfg *Config) validateLimits() error {
	var errs error
	if cfg.LookBack >= cfg.MaxRunAge && cfg.MaxRunAge > 0 {
		errs = errors.Join(
			errs, fmt.Errorf("`look_back` (%s) must be shorter than `max_run_age` (%s)", cfg.LookBack, cfg.MaxRunAge),
		)
	}
	if cfg.PageSize < 1 || cfg.PageSize > maxPageSize {
		errs = errors.Join(errs, fmt.Errorf("`page_size` is %d: must be 1 to %d", cfg.PageSize, maxPageSize))
	}
	if cfg.MaxScanSize < 0 {
		errs = errors.Join(errs, fmt.Errorf("`max_scan_size` is %d: must not be negative", cfg.MaxScanSize))
	}
	if cfg.MaxApps < 1 {
		errs = errors.Join(errs, fmt.Errorf("`max_apps` is %d: must be at least 1", cfg.MaxApps))
	}
	return errs
}

// start returns where to begin without a checkpoint: at a time, or at the end of the table.
func (cfg *Config) start() (at time.Time, end bool, err error) {
	switch cfg.StartAt {
	case startAtEnd:
		return time.Time{}, true, nil
	case startAtBeginning:
		return time.Time{}, false, nil
	}
	at, err = time.Parse(time.RFC3339, cfg.StartAt)
	if err != nil {
		return time.Time{}, false, fmt.Errorf(
			"`start_at` is %q: must be %s, %s or an RFC 3339 time such as 2026-11-23T00:00:00Z", cfg.StartAt, startAtEnd,
			startAtBeginning,
		)
	}
	return at.UTC(), false, nil
}

// protocol returns the wire protocol of the driver.
func (cfg *Config) protocol() string {
	if cfg.Driver == driverPostgreSQL {
		return driverPostgreSQL
	}
	return driverMySQL
}

func (cfg *Config) port() int {
	switch {
	case cfg.Port != 0:
		return cfg.Port
	case cfg.protocol() == driverPostgreSQL:
		return portPostgreSQL
	default:
		return portMySQL
	}
}

// address identifies the database, without credentials: in the checkpoint, in messages, and as the root of stable IDs.
func (cfg *Config) address() string {
	return cfg.protocol() + "://" + net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.port())) + "/" + cfg.Database
}

// server is what an operator knows the database by.
func (cfg *Config) server() neterr.Server {
	return neterr.Server{
		Name: "Dify's database", Address: cfg.address(), Setting: "`host` and `port` (DB_HOST, DB_PORT)",
		Plain:  "`tls::insecure: true` (OTELCOL_DB_TLS_INSECURE)",
		Secure: "`tls::insecure: false` (OTELCOL_DB_TLS_INSECURE)",
		Trust:  "`tls::ca_file`",
		UnknownHost: "Dify's compose file names it db up to Dify 1.10.0, and db_postgres or db_mysql since, as in " +
			"Dify's .env",
	}
}

func (cfg *Config) limits() checkpoint.Limits {
	return checkpoint.Limits{
		LookBack: cfg.LookBack, OutcomeWait: cfg.OutcomeWait, MaxRunAge: cfg.MaxRunAge, MaxApps: cfg.MaxApps,
	}
}
