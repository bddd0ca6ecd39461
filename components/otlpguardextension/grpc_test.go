// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension/internal/admission"
)

const tracesMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

func TestGRPCPasses(t *testing.T) {
	var items []int
	r := newRig(t, nil)
	r.consume = func(_ context.Context, n int) error {
		items = append(items, n)
		return nil
	}
	for _, compressor := range []string{"", "gzip", "zstd", "snappy"} {
		items = nil
		var opts []grpc.DialOption
		if compressor != "" {
			opts = append(opts, grpc.WithDefaultCallOptions(grpc.UseCompressor(compressor)))
		}
		conn := r.dial(opts...)
		_, err := ptraceotlp.NewGRPCClient(conn).Export(t.Context(), tracesWith(3))
		require.NoError(t, err)
		_, err = pmetricotlp.NewGRPCClient(conn).Export(t.Context(), metricsWith(4))
		require.NoError(t, err)
		_, err = plogotlp.NewGRPCClient(conn).Export(t.Context(), logsWith(5))
		require.NoError(t, err)
		assert.Equal(t, []int{3, 4, 5}, items, compressor)
	}
	r.assertRejected(map[string]int64{})
	assert.Zero(t, r.guard.slots.InUse())
}

func TestGRPCLargeMessage(t *testing.T) {
	r := newRig(t, nil)
	spans := 0
	r.consume = func(_ context.Context, n int) error {
		spans += n
		return nil
	}
	req := tracesWith(1)
	req.Traces().ResourceSpans().At(0).Resource().Attributes().PutStr("prompt", strings.Repeat("x", 40*mib))
	for _, opts := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
		_, err := ptraceotlp.NewGRPCClient(r.dial()).Export(t.Context(), req, opts...)
		require.NoError(t, err)
	}
	assert.Equal(t, 2, spans)
}

func TestGRPCRejects(t *testing.T) {
	deep := tracesWith(1)
	value := deep.Traces().ResourceSpans().At(0).Resource().Attributes().PutEmpty("deep")
	for range 5 {
		value = value.SetEmptySlice().AppendEmpty()
	}
	wide := tracesWith(1)
	list := wide.Traces().ResourceSpans().At(0).Resource().Attributes().PutEmptySlice("list")
	for range 20 {
		list.AppendEmpty().SetInt(1)
	}
	large := tracesWith(1)
	large.Traces().ResourceSpans().At(0).Resource().Attributes().PutStr("text", strings.Repeat("x", mib))
	r := newRig(t, func(cfg *Config) {
		cfg.MaxDepth, cfg.MaxItems, cfg.MaxAttributes, cfg.MaxRequestMemoryMiB = 4, 10, 20, 2
	})
	r.consume = func(context.Context, int) error {
		t.Error("the request was decoded")
		return nil
	}
	want := map[string]int64{}
	for reason, req := range map[string]ptraceotlp.ExportRequest{
		"depth": deep, "items": tracesWith(11), "attributes": wide, "request_memory": large,
	} {
		_, err := ptraceotlp.NewGRPCClient(r.dial()).Export(t.Context(), req)
		// Not RESOURCE_EXHAUSTED, which Dify's SDK sends again.
		assert.Equal(t, codes.InvalidArgument, status.Code(err), reason)
		assert.Zero(t, r.guard.memory.Used(), reason)
		want["traces "+reason] = 1
	}
	r.assertRejected(want)
	assert.Len(t, r.logs.All(), 4)
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

func (rawCodec) Name() string { return codecName }

func (r *rig) invokeRaw(message []byte) error {
	var answer []byte
	return r.dial().Invoke(r.t.Context(), tracesMethod, message, &answer, grpc.ForceCodec(rawCodec{}))
}

func TestGRPCMalformed(t *testing.T) {
	r := newRig(t, nil)
	require.Error(t, r.invokeRaw([]byte("\xff\xfe\x00garbage")))
	require.Error(t, r.invokeRaw(bytes.Repeat([]byte{0xff}, mib)))
	require.NoError(t, r.invokeRaw(nil))
	r.assertRejected(map[string]int64{"traces malformed": 2})
}

func TestGRPCTotalMemory(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(cfg *Config) { cfg.MaxRequestMemoryMiB, cfg.MaxTotalMemoryMiB = 64, 64 })
	r.consume = func(_ context.Context, n int) error {
		if n == 1 {
			entered <- struct{}{}
			<-leave
		}
		return nil
	}
	large := tracesWith(1)
	large.Traces().ResourceSpans().At(0).Resource().Attributes().PutStr("text", strings.Repeat("x", 15*mib))
	client := ptraceotlp.NewGRPCClient(r.dial())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := client.Export(t.Context(), large)
		assert.NoError(t, err)
	})
	<-entered
	_, err := client.Export(t.Context(), large, grpc.UseCompressor("gzip"))
	assert.Equal(t, codes.Unavailable, status.Code(err))
	_, err = client.Export(t.Context(), tracesWith(2))
	require.NoError(t, err)
	close(leave)
	wg.Wait()
	eventually(t, func() bool { return r.guard.memory.Used() == 0 })
	r.assertRejected(map[string]int64{"traces total_memory": 1})
}

// rawStream sends frames of a gRPC request as a client of our own would.
type rawStream struct {
	t      testing.TB
	conn   net.Conn
	framer *http2.Framer
	ended  chan struct{} // closed when the server has answered
}

func (r *rig) openRaw() *rawStream {
	conn, err := net.Dial("tcp", r.grpc)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(r.t, err)
	s := &rawStream{t: r.t, conn: conn, framer: http2.NewFramer(conn, conn), ended: make(chan struct{})}
	require.NoError(r.t, s.framer.WriteSettings())
	require.NoError(r.t, s.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, EndHeaders: true, BlockFragment: grpcHeaders(r.t),
	}))
	go s.awaitEnd()
	return s
}

func (s *rawStream) awaitEnd() {
	defer close(s.ended)
	for {
		frame, err := s.framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			if frame.StreamEnded() {
				return
			}
		case *http2.RSTStreamFrame:
			return
		}
	}
}

func (s *rawStream) data(message []byte, length int, end bool) {
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(length))
	require.NoError(s.t, s.framer.WriteData(1, end, append(frame, message...)))
}

func TestGRPCSlowClient(t *testing.T) {
	r := newRig(t, nil, admission.NewSlots(2, maxWaiting, 50*time.Millisecond, time.Minute))
	for range 2 {
		r.openRaw().data([]byte{0x0a}, 1000, false)
	}
	eventually(t, func() bool { return r.guard.slots.InUse() == 2 })
	_, err := ptraceotlp.NewGRPCClient(r.dial()).Export(t.Context(), tracesWith(2))
	require.NoError(t, err)
	eventually(t, func() bool { return r.guard.slots.InUse() == 1 })
	// The server counts it after the client has its response.
	eventually(t, func() bool { return r.rejected()["unknown slow"] == 1 })
}

// TestGRPCSecondMessage sends two messages in a call that has one. Nothing stays reserved.
func TestGRPCSecondMessage(t *testing.T) {
	r := newRig(t, nil)
	for range 10 {
		s := r.openRaw()
		message := encode(t, tracesWith(100), contentTypeProtobuf)
		s.data(message, len(message), false)
		s.data(message, len(message), false)
		s.data(message, len(message), true)
		<-s.ended
	}
	eventually(t, func() bool {
		return r.guard.slots.InUse() == 0 && r.guard.memory.Used() == 0
	})
}

func TestGRPCBusy(t *testing.T) {
	r := newRig(t, nil, admission.NewSlots(1, maxWaiting, time.Hour, 10*time.Millisecond))
	slot, err := r.guard.slots.Acquire(t.Context(), func() {})
	require.NoError(t, err)
	client := ptraceotlp.NewGRPCClient(r.dial())
	_, err = client.Export(t.Context(), tracesWith(2))
	// Dify's SDK sends both again.
	assert.Contains(t, []codes.Code{codes.Canceled, codes.Unavailable}, status.Code(err))
	slot.Release()
	_, err = client.Export(t.Context(), tracesWith(2))
	require.NoError(t, err)
	// The server counts it after the client has its response. The signal is known only if the message was already there.
	eventually(t, func() bool { return r.rejected()["traces busy"]+r.rejected()["unknown busy"] == 1 })
}

// TestHostileInParallel sends the worst that fits the body limit, over both protocols, next to good requests.
func TestHostileInParallel(t *testing.T) {
	r := newRig(t, nil)
	var peak int64
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				peak = max(peak, r.guard.memory.Used())
				time.Sleep(time.Millisecond)
			}
		}
	})
	// Empty spans: 62 MiB of them would need 8 GB.
	const spans = 4 * mib
	inner := bytes.Repeat([]byte{0x12, 0}, spans)
	scope := append(binary.AppendUvarint([]byte{0x12}, uint64(len(inner))), inner...)
	hostile := append(binary.AppendUvarint([]byte{0x0a}, uint64(len(scope))), scope...)
	zipped := compress(t, "gzip", hostile)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			resp := r.post("/v1/traces", contentTypeProtobuf, "gzip", bytes.NewReader(zipped))
			assert.Contains(t, []int{http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable}, resp.status)
		})
		wg.Go(func() {
			err := r.invokeRaw(hostile)
			assert.Contains(t, []codes.Code{codes.InvalidArgument, codes.Unavailable, codes.Canceled}, status.Code(err))
		})
		wg.Go(func() {
			body := encode(t, tracesWith(10), contentTypeProtobuf)
			for r.postProtobuf("/v1/traces", body).status != http.StatusOK { // as Dify's SDK does
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	close(stop)
	watch.Wait()
	assert.LessOrEqual(t, peak, int64(r.guard.cfg.MaxTotalMemoryMiB)*mib)
}

// grpcHeaders returns the headers of a call, as HTTP/2 encodes them.
func grpcHeaders(tb testing.TB) []byte {
	tb.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, header := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: tracesMethod},
		{Name: ":authority", Value: "test"},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "te", Value: "trailers"},
	} {
		require.NoError(tb, encoder.WriteField(header))
	}
	return block.Bytes()
}
