// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcencoding "google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/admission"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/scan"
)

const (
	// streamWindow is what a client can send before its request has a slot.
	streamWindow = 64 << 10
	// connectionWindow lets a connection with a round trip of 50 ms transfer 80 MiB per second.
	connectionWindow = 4 << 20

	codecName = "proto"
)

// grpcGuard is the middleware of one gRPC server. An interceptor runs after the request is decoded, so that four parts
// share the work, in this order:
//
//   - the tap gives each request a context that ends the receipt of its message;
//   - the statistics handler, called before the message is received, waits for a slot;
//   - the codec, called with the message but without the context, decides whether the message is decoded. It can't
//     choose the status of the response, so it leaves its decision for the next part;
//   - the interceptor responds to what was not accepted.
//
// The statistics handler is also called at the end, and then releases what the request holds: another interceptor may
// have ended the request before ours was called.
type grpcGuard struct {
	*guard
	codec grpcencoding.CodecV2

	decisions sync.Map // *decision by the struct into which the message was, or would have been, decoded
}

// decision is the codec's decision.
type decision struct {
	signal   scan.Signal
	reserved *admission.Reservation
	rejected *rejection
}

// call is one request. Except for cancel, one goroutine uses it.
type call struct {
	cancel    context.CancelCauseFunc
	received  func() bool // ends its bound
	slot      *admission.Slot
	message   any
	decisions []*decision // two, if a client sends a second message
	answered  bool        // by the interceptor
}

type callKey struct{}

// GetGRPCServerOptions returns the middleware of a gRPC server.
func (g *guard) GetGRPCServerOptions(context.Context) ([]grpc.ServerOption, error) {
	codec := grpcencoding.GetCodecV2(codecName)
	if codec == nil {
		return nil, fmt.Errorf("gRPC has no codec %q", codecName)
	}
	s := &grpcGuard{guard: g, codec: codec}
	return []grpc.ServerOption{
		grpc.InTapHandle(tapHandle),
		grpc.StatsHandler(s),
		grpc.ForceServerCodecV2(s),
		grpc.ChainUnaryInterceptor(s.intercept),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.ConnectionTimeout(receiptGrace), // a shutdown waits for connections that have not sent their preface
	}, nil
}

// tapHandle is called for each request as soon as its headers are received.
func tapHandle(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cancel := context.WithCancelCause(ctx) // ends with its parent, when the request ends
	return context.WithValue(ctx, callKey{}, &call{cancel: cancel}), nil
}

// TagRPC is part of stats.Handler.
func (*grpcGuard) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// TagConn is part of stats.Handler.
func (*grpcGuard) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn is part of stats.Handler.
func (*grpcGuard) HandleConn(context.Context, stats.ConnStats) {}

// HandleRPC waits for a slot before the message is received, takes over the codec's decision after it was decoded, and
// releases what the request holds at its end.
func (s *grpcGuard) HandleRPC(ctx context.Context, event stats.RPCStats) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return
	}
	switch event := event.(type) {
	case *stats.Begin:
		c.received = s.whenLate(func() { c.cancel(errStopping) })
		slot, err := s.slots.Acquire(ctx, func() { c.cancel(errEvicted) })
		if err != nil {
			// The only way to end the request from here: the status is CANCELLED, and Dify's SDK sends it again.
			c.cancel(err)
			return
		}
		c.slot = slot
	case *stats.InPayload:
		c.received()
		c.message = event.Payload
		s.takeDecision(c)
	case *stats.End:
		c.received()
		c.releaseSlot()
		if c.message != nil {
			s.takeDecision(c) // about a second message
		}
		signal := unknownSignal
		for _, d := range c.decisions {
			signal = d.signal
			d.reserved.Release()
		}
		// The message may even have been decoded: gRPC then waits for its end.
		if cause := context.Cause(ctx); !c.answered && endedByGuard(cause) {
			s.counter.rejected(ctx, signal, rejectionOf(cause))
		}
	}
}

func endedByGuard(cause error) bool {
	return errors.Is(cause, errEvicted) || errors.Is(cause, admission.ErrBusy) || errors.Is(cause, errStopping)
}

func (s *grpcGuard) takeDecision(c *call) {
	if d, ok := s.decisions.LoadAndDelete(c.message); ok {
		c.decisions = append(c.decisions, d.(*decision))
	}
}

func (c *call) releaseSlot() {
	if c.slot != nil {
		c.slot.Release()
		c.slot = nil
	}
}

// intercept is called after the message is decoded, or was not accepted.
func (s *grpcGuard) intercept(
	ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler,
) (any, error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok || len(c.decisions) == 0 {
		return nil, status.Error(codes.Internal, "otlp_guard has not seen the request") // never
	}
	c.releaseSlot()
	c.answered = true
	d := c.decisions[0]
	if cause := context.Cause(ctx); d.rejected == nil && endedByGuard(cause) {
		d.rejected = rejectionOf(cause)
	}
	if d.rejected != nil {
		s.counter.rejected(ctx, d.signal, d.rejected)
		return nil, d.rejected.status().Err()
	}
	return next(ctx, req)
}

// Name is part of encoding.CodecV2.
func (s *grpcGuard) Name() string { return s.codec.Name() }

// Marshal is part of encoding.CodecV2.
func (s *grpcGuard) Marshal(v any) (mem.BufferSlice, error) { return s.codec.Marshal(v) }

// Unmarshal decodes a message, if it is accepted.
func (s *grpcGuard) Unmarshal(data mem.BufferSlice, message any) error {
	d := &decision{signal: signalOf(message), reserved: s.memory.NewReservation()}
	switch {
	case d.signal == unknownSignal:
		d.rejected = unsupported
	case !d.reserved.Grow(bodyCopies * int64(data.Len())):
		d.rejected = noMemory
	default:
		buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer buf.Free()
		d.rejected = s.admit(d.signal, false, buf.ReadOnlyData(), d.reserved)
		if d.rejected == nil && s.codec.Unmarshal(mem.BufferSlice{buf}, message) != nil {
			d.rejected = malformed
		}
	}
	if d.rejected != nil {
		d.reserved.Release()
	}
	s.decisions.Store(message, d)
	return nil
}

// signalOf returns the signal of a request, whose type pdata does not export.
func signalOf(message any) scan.Signal {
	name := fmt.Sprintf("%T", message)
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "ExportTraceServiceRequest":
		return scan.Traces
	case "ExportMetricsServiceRequest":
		return scan.Metrics
	case "ExportLogsServiceRequest":
		return scan.Logs
	default:
		return unknownSignal
	}
}
