// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/admission"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/scan"
)

var (
	_ extension.Extension                   = (*guard)(nil)
	_ extensionmiddleware.HTTPServer        = (*guard)(nil)
	_ extensionmiddleware.GRPCServer        = (*guard)(nil)
	_ extensioncapabilities.PipelineWatcher = (*guard)(nil)
)

const (
	// maxReads is the number of compressed bodies and gRPC messages that are received at once. Decompression and gRPC
	// allocate up to the body limit for each before the guard can reserve memory.
	maxReads = 4
	// maxWaiting is the number of requests that wait for one of them.
	maxWaiting = 512
	// readShare is the time after which a request that is still being received gives way to one that waits.
	readShare = time.Second
	// maxWait is less than the timeout of Dify's SDK, 10 seconds.
	maxWait = 5 * time.Second

	// bodyCopies is how often a body is in memory: the guard's copy and the receiver's.
	bodyCopies = 2
)

// guard is the extension. All servers that use it share its bounds.
type guard struct {
	cfg       *Config
	telemetry *metadata.TelemetryBuilder
	counter   *counter
	memory    *admission.Memory
	slots     *admission.Slots

	receipt    context.Context // ends when no request may arrive any more
	endReceipt context.CancelCauseFunc
}

func newGuard(cfg *Config, set extension.Settings) (*guard, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	receipt, endReceipt := context.WithCancelCause(context.Background())
	return &guard{
		cfg:       cfg,
		telemetry: telemetry,
		counter:   newCounter(telemetry, set.Logger),
		memory:    admission.NewMemory(int64(cfg.MaxTotalMemoryMiB) * mib),
		slots:     admission.NewSlots(maxReads, maxWaiting, readShare, maxWait),

		receipt:    receipt,
		endReceipt: endReceipt,
	}, nil
}

// Start begins to observe the memory.
func (g *guard) Start(ctx context.Context, _ component.Host) error {
	g.counter.startFromZero(ctx)
	return g.telemetry.RegisterOtlpGuardMemoryCallback(func(_ context.Context, observer metric.Int64Observer) error {
		observer.Observe(g.memory.Used())
		return nil
	})
}

// Shutdown ends the observation.
func (g *guard) Shutdown(context.Context) error {
	g.endReceipt(errStopping)
	g.telemetry.Shutdown()
	return nil
}

// admit decides whether a request is decoded. Its reservation, which covers the copies of the body, is extended by
// what decoding needs. A request is examined only as closely as necessary: its items are looked into only if the most
// that they can contain is not harmless.
func (g *guard) admit(signal scan.Signal, json bool, body []byte, reserved *admission.Reservation) *rejection {
	limits := g.cfg.limits(reserved.Bytes())
	examine := scan.Protobuf
	if json {
		examine = scan.JSON
	} else if most, err := scan.Coarse(signal, body, limits); err == nil && g.harmless(most, reserved) {
		return nil
	}
	size, err := examine(signal, body, limits)
	if err == nil && !reserved.Grow(reserved.Bytes()+size.Memory) {
		err = errNoMemory
	}
	return rejectionOf(err)
}

// harmless reports whether a request of which only the most that it can contain is known is within all limits and
// leaves half of the memory free. If so, the memory is reserved. The decoder bounds the depth.
func (g *guard) harmless(most scan.Size, reserved *admission.Reservation) bool {
	limits := g.cfg.limits(reserved.Bytes())
	return limits.Depth >= scan.MaxProtobufDepth && most.Exceeds(limits.Size) == nil &&
		reserved.GrowWithinHalf(reserved.Bytes()+most.Memory)
}
