// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver/internal/tenantqueue"
	"github.com/otelcol-dify/otelcol-dify/components/internal/installation"
	"github.com/otelcol-dify/otelcol-dify/components/internal/neterr"
)

type queueScraper struct {
	cfg      *Config
	logger   *zap.Logger
	builder  *metadata.MetricsBuilder
	resource pcommon.Resource
	request  request
	finder   *finder // nil unless discovery is on
	server   neterr.Server
	broker   broker
	client   redis.UniversalClient
	tenants  tenantQueues
	// telemetry counts collections: scraperhelper's counter of errored points stays 0 if nothing could be read.
	telemetry *metadata.TelemetryBuilder
	report    reporter
}

// The attribute sets of the receiver's own metric, built once.
var (
	resultOK     = attribute.NewSet(attribute.String("result", metadata.AttributeResultOk.String()))
	resultFailed = attribute.NewSet(attribute.String("result", metadata.AttributeResultFailed.String()))
)

func newQueueScraper(cfg *Config, set receiver.Settings) (*queueScraper, error) {
	telemetry, err := metadata.NewTelemetryBuilder(installation.Telemetry(set.TelemetrySettings, cfg.Installation))
	if err != nil {
		return nil, err
	}
	s := &queueScraper{
		cfg:       cfg,
		logger:    set.Logger,
		builder:   metadata.NewMetricsBuilder(cfg.MetricsBuilderConfig, set),
		request:   newRequest(cfg.KeyPrefix, cfg.Queues),
		telemetry: telemetry,
		report:    newReporter(set.Logger),
	}
	if cfg.Discovery.Enabled {
		s.finder = &finder{cfg: cfg}
	}
	s.broker, _ = parseBroker(string(cfg.Endpoint)) // Validate has rejected what can't be parsed
	rb := s.builder.NewResourceBuilder()
	rb.SetServiceName("dify")
	rb.SetServiceInstanceID(instanceID(cfg, s.broker))
	s.resource = rb.Emit()
	s.server = serverOf(s.broker)
	return s, nil
}

// serverOf returns what an operator knows the broker by.
func serverOf(b broker) neterr.Server {
	return neterr.Server{
		Name: "Redis", Address: b.identity(), Setting: "`endpoint` (CELERY_BROKER_URL)", Plain: "redis://",
		Secure: "rediss://", Trust: "`tls::ca_file` (REDIS_SSL_CA_CERTS)",
	}
}

// instanceID returns the same id for the same queues after each restart, so that a series continues.
func instanceID(cfg *Config, broker broker) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("celery_queue://"+broker.identity()+"/"+cfg.KeyPrefix)).String()
}

// start does not fail: without the queues' lengths the collector still delivers everything else.
func (s *queueScraper) start(ctx context.Context, host component.Host) error {
	s.report.host = host
	for _, result := range []attribute.Set{resultOK, resultFailed} { // increase() ignores a counter's first value
		s.telemetry.CeleryQueueCollections.Add(ctx, 0, metric.WithAttributeSet(result))
	}
	return nil
}

func (s *queueScraper) shutdown(context.Context) error {
	s.telemetry.Shutdown()
	var errs []error
	for _, client := range []redis.UniversalClient{s.client, s.tenants.client} {
		if client != nil {
			errs = append(errs, client.Close())
		}
	}
	return errors.Join(errs...)
}

// collect is a collection with its report, counted by its result.
func (s *queueScraper) collect(ctx context.Context) (pmetric.Metrics, error) {
	metrics, err := s.scrape(ctx)
	s.report.collected(err, time.Now())
	result := resultOK
	if metrics.MetricCount() == 0 {
		result = resultFailed
	}
	s.telemetry.CeleryQueueCollections.Add(ctx, 1, metric.WithAttributeSet(result))
	return metrics, err
}

// scrape reads every queue in one round trip. What could not be read gets no data point.
func (s *queueScraper) scrape(ctx context.Context) (pmetric.Metrics, error) {
	if s.client == nil {
		client, err := newClient(ctx, s.cfg, s.broker) // reads the files of `tls`
		if err != nil {
			return pmetric.NewMetrics(), fmt.Errorf("no queue could be read: %w", err)
		}
		s.client = client
	}
	discovery := s.discover(ctx)
	response, err := s.request.send(ctx, s.client)
	if err != nil {
		return pmetric.NewMetrics(), fmt.Errorf("no queue could be read: %w", explain(err, s.server))
	}
	now := pcommon.NewTimestampFromTime(time.Now())
	var failed []string
	for i, queue := range s.request.queues {
		if length, err := sum(response.lengths[i]); err == nil {
			s.builder.RecordCeleryQueueLengthDataPoint(now, length, queue.name)
		} else {
			failed = append(failed, "queue "+queue.name)
		}
	}
	if unacked, err := response.unacked.Result(); err == nil {
		s.builder.RecordCeleryQueueUnackedDataPoint(now, unacked)
	} else {
		failed = append(failed, "the hash "+s.request.unacked)
	}
	tenants := s.scrapeTenantQueues(ctx, now)
	metrics := s.builder.Emit(metadata.WithResource(s.resource))
	return metrics, s.partial(failed, response.err, discovery, tenants)
}

// partial returns the error of a collection that has gaps.
func (s *queueScraper) partial(failed []string, reading, discovery, tenants error) error {
	var errs []error
	if len(failed) > 0 {
		errs = append(errs, fmt.Errorf("%s could not be read: %w", strings.Join(failed, ", "), explain(reading, s.server)))
	}
	if discovery != nil {
		errs = append(errs, fmt.Errorf("discovery: %w", explain(discovery, s.server)))
	}
	if tenants != nil {
		errs = append(errs, fmt.Errorf("queues of tenants: %w", explain(tenants, s.server)))
	}
	if len(errs) == 0 {
		return nil
	}
	return scrapererror.NewPartialScrapeError(errors.Join(errs...), len(failed))
}

// discover searches for new queues when a search is due. Queues that were found once are kept: an empty one is 0, not
// a gap.
func (s *queueScraper) discover(ctx context.Context) error {
	if s.finder == nil || !s.finder.due(time.Now()) {
		return nil
	}
	found, err := s.finder.find(ctx, s.client)
	added := s.request.add(found, s.cfg.Discovery.MaxQueues)
	if len(added) > 0 {
		s.logger.Info("Found queues that Dify's workers have declared", zap.Strings("queues", added))
	}
	return err
}

// tenantQueues has the connection to Dify's own database.
type tenantQueues struct {
	client redis.UniversalClient
	next   time.Time
}

// scrapeTenantQueues reads the queues of tenants when a search is due.
func (s *queueScraper) scrapeTenantQueues(ctx context.Context, now pcommon.Timestamp) error {
	if !s.cfg.TenantQueues.Enabled || now.AsTime().Before(s.tenants.next) {
		return nil
	}
	s.tenants.next = now.AsTime().Add(s.cfg.TenantQueues.Interval)
	if s.tenants.client == nil {
		database := s.broker
		database.db = s.cfg.TenantQueues.Database
		client, err := newClient(ctx, s.cfg, database)
		if err != nil {
			return err
		}
		s.tenants.client = client
	}
	pattern := tenantqueue.Pattern(globQuoted(prefixed(s.cfg.KeyPrefix, "")))
	backlogs, err := tenantqueue.Read(ctx, s.tenants.client, pattern, s.cfg.TenantQueues.MaxQueues)
	for kind, backlog := range backlogs {
		s.builder.RecordCeleryTenantQueueCountDataPoint(now, backlog.Queues, kind)
		s.builder.RecordCeleryTenantQueueLengthDataPoint(now, backlog.Tasks, kind)
		s.builder.RecordCeleryTenantQueueLongestDataPoint(now, backlog.Longest, kind)
	}
	return err
}
