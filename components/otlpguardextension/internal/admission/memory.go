// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package admission bounds what requests occupy together: the memory of all that are being received, decoded or
// processed, and the number of those whose compressed body or gRPC message is being received.
package admission

import "sync/atomic"

// Memory is a number of bytes that requests share. It is safe for concurrent use.
type Memory struct {
	limit int64
	used  atomic.Int64
}

// NewMemory returns a memory of which limit bytes can be reserved at once.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Used returns the number of bytes that are reserved.
func (m *Memory) Used() int64 { return m.used.Load() }

// Reservation is the part of a memory that one request has. It is not safe for concurrent use.
type Reservation struct {
	memory *Memory
	bytes  int64
}

// NewReservation returns a reservation of 0 bytes.
func (m *Memory) NewReservation() *Reservation { return &Reservation{memory: m} }

// Bytes returns the size of the reservation.
func (r *Reservation) Bytes() int64 { return r.bytes }

// Grow extends the reservation to a number of bytes. It reports whether they were free; if not, nothing changes.
func (r *Reservation) Grow(bytes int64) bool { return r.growWithin(bytes, r.memory.limit) }

// GrowWithinHalf is like Grow, but leaves half of the memory free.
func (r *Reservation) GrowWithinHalf(bytes int64) bool { return r.growWithin(bytes, r.memory.limit/2) }

func (r *Reservation) growWithin(bytes, limit int64) bool {
	more := bytes - r.bytes
	if more <= 0 {
		return true
	}
	for {
		used := r.memory.used.Load()
		if more > limit-used {
			return false
		}
		if r.memory.used.CompareAndSwap(used, used+more) {
			r.bytes = bytes
			return true
		}
	}
}

// Release gives all of it back. Further calls do nothing.
func (r *Reservation) Release() {
	r.memory.used.Add(-r.bytes)
	r.bytes = 0
}
