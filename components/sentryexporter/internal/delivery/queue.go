// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// itemsKey is the context key of the items that pass through exporterhelper's Consume functions, which accept pdata
// only.
type itemsKey struct{}

// Queue is exporterhelper's chain of queue, telemetry and retry around finished items.
type Queue struct {
	component.Component
	offer func(context.Context) error
	async bool
}

// NewQueue returns a queue around an exporter of exporterhelper: offer calls its Consume function, whose converter
// calls RequestFrom. An async queue does not wait for the result.
func NewQueue(c component.Component, offer func(context.Context) error, async bool) *Queue {
	return &Queue{Component: c, offer: offer, async: async}
}

// RequestFrom returns the request of the items in ctx.
func RequestFrom(ctx context.Context) (xexporterhelper.Request, error) {
	items, ok := ctx.Value(itemsKey{}).([]*item.Item)
	if !ok {
		return nil, consumererror.NewPermanent(errors.New("no items"))
	}
	return &request{items: items}, nil
}

// queue puts items into the queue. It returns the items that found no room, for the caller to count, and an error
// only if the client should send again: without a queue, or where Consume waits for the result.
func (q *Queue) queue(ctx context.Context, items []*item.Item) (dropped []*item.Item, err error) {
	err = q.offer(context.WithValue(ctx, itemsKey{}, items))
	switch {
	case err == nil:
		return nil, nil
	case q.async || errors.Is(err, exporterhelper.ErrQueueIsFull):
		return items, nil
	default:
		return nil, err
	}
}
