// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// random is the only source of variation.
type random struct {
	*rand.Rand
}

func newRandom(seed uint64) random {
	return random{rand.New(rand.NewPCG(seed, 0xd1f7))} // repeatable on purpose
}

func (r random) bytes16() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], r.Uint64())
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	return b
}

// uuid returns a version 4 UUID, as Dify's ids are.
func (r random) uuid() string {
	b := r.bytes16()
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return uuid.UUID(b).String()
}

func (r random) traceID() pcommon.TraceID {
	return r.bytes16()
}

func (r random) spanID() (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], r.Uint64()|1) // never zero
	return id
}

// between returns a whole number of microseconds, the precision of Dify's database.
func (r random) between(low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64((high-low)/time.Microsecond)))*time.Microsecond
}

func pick[T any](r random, from []T) T {
	return from[r.IntN(len(from))]
}
