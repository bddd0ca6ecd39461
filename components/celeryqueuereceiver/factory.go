// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper"
	"go.opentelemetry.io/collector/scraper/scraperhelper"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver/internal/metadata"
)

// NewFactory returns the factory of the celery_queue receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithMetrics(createMetrics, metadata.MetricsStability),
	)
}

func createMetrics(
	_ context.Context,
	set receiver.Settings,
	cfg component.Config,
	next consumer.Metrics,
) (receiver.Metrics, error) {
	config := cfg.(*Config)
	queues, err := newQueueScraper(config, set)
	if err != nil {
		return nil, err
	}
	s, err := scraper.NewMetrics(queues.collect, scraper.WithStart(queues.start), scraper.WithShutdown(queues.shutdown))
	if err != nil {
		return nil, err
	}
	// The helper would log each failed collection as an error with a stack trace; the reporter logs them.
	set.Logger = zap.NewNop()
	return scraperhelper.NewMetricsController(
		&config.ControllerConfig,
		set,
		next,
		scraperhelper.AddMetricsScraper(metadata.Type, s),
	)
}
