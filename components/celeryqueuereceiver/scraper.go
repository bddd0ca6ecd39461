// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper/scrapererror"

	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver/internal/metadata"
)

type queueScraper struct {
	cfg      *Config
	builder  *metadata.MetricsBuilder
	resource pcommon.Resource
	keys     [][]string // of each of cfg.Queues
	client   redis.UniversalClient
}

func newQueueScraper(cfg *Config, set receiver.Settings) *queueScraper {
	s := &queueScraper{
		cfg:     cfg,
		builder: metadata.NewMetricsBuilder(cfg.MetricsBuilderConfig, set),
		keys:    make([][]string, 0, len(cfg.Queues)),
	}
	for _, queue := range cfg.Queues {
		s.keys = append(s.keys, queueKeys(cfg.KeyPrefix, queue))
	}
	rb := s.builder.NewResourceBuilder()
	rb.SetServiceName("dify")
	rb.SetServiceInstanceID(instanceID(cfg))
	s.resource = rb.Emit()
	return s
}

// instanceID is the same for the same queues, whatever the collector's restarts, so that a series goes on.
func instanceID(cfg *Config) string {
	b, _ := parseBroker(string(cfg.Endpoint)) // Validate has refused what can't be read
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("celery_queue://"+b.identity()+"/"+cfg.KeyPrefix)).String()
}

func (s *queueScraper) start(ctx context.Context, _ component.Host) error {
	client, err := newClient(ctx, s.cfg)
	s.client = client
	return err
}

func (s *queueScraper) shutdown(context.Context) error {
	if s.client == nil {
		return nil
	}
	return s.client.Close()
}

// scrape asks for every queue in one round trip. A queue whose length is not known gets no point.
func (s *queueScraper) scrape(ctx context.Context) (pmetric.Metrics, error) {
	replies := make([][]*redis.IntCmd, len(s.keys))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, keys := range s.keys {
			for _, key := range keys {
				replies[i] = append(replies[i], p.LLen(ctx, key))
			}
		}
		return nil
	})
	if err != nil && !repliedWith(replies, err) {
		// The driver leaves the replies of a connection that failed at 0, without an error of their own.
		return pmetric.NewMetrics(), fmt.Errorf("no queue could be read: %w", explain(err))
	}
	now := pcommon.NewTimestampFromTime(time.Now())
	var failed []string
	for i, queue := range s.cfg.Queues {
		length, queueErr := sum(replies[i])
		if queueErr != nil {
			failed = append(failed, queue)
			continue
		}
		s.builder.RecordCeleryQueueLengthDataPoint(now, length, queue)
	}
	metrics := s.builder.Emit(metadata.WithResource(s.resource))
	if len(failed) == 0 {
		return metrics, nil
	}
	err = fmt.Errorf("queues %s could not be read: %w", strings.Join(failed, ", "), explain(err))
	return metrics, scrapererror.NewPartialScrapeError(err, len(failed))
}

// repliedWith tells whether err is the server's answer to one of the commands, so that the other answers stand.
func repliedWith(replies [][]*redis.IntCmd, err error) bool {
	if _, ok := errors.AsType[redis.Error](err); !ok {
		return false
	}
	return slices.ContainsFunc(replies, func(queue []*redis.IntCmd) bool {
		return slices.ContainsFunc(queue, func(reply *redis.IntCmd) bool { return errors.Is(reply.Err(), err) })
	})
}

func sum(replies []*redis.IntCmd) (int64, error) {
	var total int64
	for _, reply := range replies {
		n, err := reply.Result()
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// explain puts the way out in front of the errors that operators meet. Redis's own texts hold no secret.
func explain(err error) error {
	text := err.Error()
	for _, known := range [...]struct{ prefix, hint string }{
		{"NOAUTH", "Redis wants a login; put it into endpoint (Dify's CELERY_BROKER_URL)"},
		{"WRONGPASS", "Redis refused the login of endpoint (Dify's CELERY_BROKER_URL)"},
		{"ERR invalid password", "Redis refused the login of endpoint (Dify's CELERY_BROKER_URL)"},
		{"ERR DB index is out of range", "the database that endpoint names does not exist in Redis"},
		{"WRONGTYPE", "a queue's key does not hold a list; endpoint may name the wrong database (Dify's broker is database 1)"},
		{"NOPERM", "the Redis user may not read the queues; it needs +select, +llen and the queues' keys"},
	} {
		if strings.HasPrefix(text, known.prefix) {
			return fmt.Errorf("%s: %w", known.hint, err)
		}
	}
	return err
}
