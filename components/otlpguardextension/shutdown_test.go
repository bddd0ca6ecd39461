// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package otlpguardextension

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// The receiver, which the test stops at its end, waits for each request.
func TestShutdownEndsReceipt(t *testing.T) {
	r := newRig(t, nil)
	body, client := io.Pipe()
	defer client.Close()
	answers := make(chan response, 1)
	go func() { answers <- r.post("/v1/traces", contentTypeProtobuf, "", body) }()
	_, err := client.Write([]byte{0x0a})
	require.NoError(t, err)
	stream := r.openRaw()
	stream.data([]byte{0x0a}, 1000, false)
	eventually(t, func() bool { return r.guard.slots.InUse() == 2 })

	r.guard.endReceipt(errStopping)
	answer := <-answers
	assert.Equal(t, http.StatusServiceUnavailable, answer.status)
	assert.Equal(t, retryAfter, answer.retryAfter)
	<-stream.ended
	eventually(t, func() bool { return r.rejected()["unknown shutdown"] == 1 })
	r.assertRejected(map[string]int64{"traces shutdown": 1, "unknown shutdown": 1})
}

// A request that has arrived is processed to its end.
func TestShutdownSparesWhatHasArrived(t *testing.T) {
	for _, spans := range []int{1, 100_000} { // over HTTP the guard reads only the larger one
		for name, send := range map[string]func(*rig) error{
			"HTTP": func(r *rig) error {
				answer := r.postProtobuf("/v1/traces", encode(t, tracesWith(spans), contentTypeProtobuf))
				assert.Equal(t, http.StatusOK, answer.status)
				return nil
			},
			"gRPC": func(r *rig) error {
				_, err := ptraceotlp.NewGRPCClient(r.dial()).Export(t.Context(), tracesWith(spans))
				return err
			},
		} {
			t.Run(fmt.Sprint(name, " ", spans), func(t *testing.T) {
				r := newRig(t, nil)
				r.consume = func(ctx context.Context, _ int) error {
					r.guard.endReceipt(errStopping)
					select {
					case <-ctx.Done(): // a deadline for reads would end it soon
					case <-time.After(100 * time.Millisecond):
					}
					return ctx.Err()
				}
				assert.NoError(t, send(r))
			})
		}
	}
}
