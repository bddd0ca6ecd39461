// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package scan reads an encoded OTLP request without decoding it. It counts what the request contains and estimates
// the memory that decoding it allocates. A scan visits each byte once and descends no deeper than its limit.
//
// What a scan accepts, the collector's decoder (pdata) reads as the scan did. This matters for JSON: after an error
// pdata continues at another place of the document, such as inside a string, and allocates there what no scan can
// foresee. The scan therefore accepts only valid JSON with the types that OTLP requires.
package scan

import (
	"errors"
	"math"
)

// Signal is the kind of an OTLP request.
type Signal int

const (
	// Traces is an ExportTraceServiceRequest.
	Traces Signal = iota
	// Metrics is an ExportMetricsServiceRequest.
	Metrics
	// Logs is an ExportLogsServiceRequest.
	Logs
)

// Limits bound one request. A scan ends at the first limit that the request exceeds.
type Limits struct {
	// Depth is the number of maps and lists that may be nested in a value.
	Depth int
	// Size bounds what the request contains.
	Size
}

// Size is what a request contains.
type Size struct {
	// Items is the number of spans, data points or log records.
	Items int
	// Attributes is the number of attributes, those of nested maps and the elements of lists included.
	Attributes int
	// Memory estimates in bytes what the decoded request occupies. Decoding it allocates at most twice as much, plus
	// 64 KiB, where garbage is included.
	Memory int64
}

// Unlimited returns limits that no request exceeds, except that of the depth.
func Unlimited(depth int) Limits {
	return Limits{Depth: depth, Size: Size{Items: math.MaxInt, Attributes: math.MaxInt, Memory: math.MaxInt64}}
}

// The errors of a scan. They contain nothing of the request.
var (
	ErrMalformed  = errors.New("the request is malformed")
	ErrDepth      = errors.New("maps and lists are nested too deep")
	ErrItems      = errors.New("too many spans, data points or log records")
	ErrAttributes = errors.New("too many attributes")
	ErrMemory     = errors.New("the decoded request is too large")
)

// Exceeds returns an error for the first limit that a size exceeds.
func (s Size) Exceeds(limit Size) error {
	switch {
	case s.Memory > limit.Memory:
		return ErrMemory
	case s.Items > limit.Items:
		return ErrItems
	case s.Attributes > limit.Attributes:
		return ErrAttributes
	default:
		return nil
	}
}

// scanner is the state of one scan.
type scanner struct {
	limits Limits
	size   Size
	coarse bool // items are not looked into
}

// count adds an occurrence of a field that contains a message, and returns the depth inside of it.
func (s *scanner) count(f *field, depth int) (int, error) {
	s.size.Memory += f.cost
	switch f.counter {
	case countItem:
		s.size.Items++
	case countAttribute:
		s.size.Attributes++
	case countLevel:
		depth++
		if depth > s.limits.Depth {
			return depth, ErrDepth
		}
	}
	return depth, s.size.Exceeds(s.limits.Size)
}
