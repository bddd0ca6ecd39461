// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scan

import (
	"testing"
)

// FuzzProtobuf checks that a scan never panics, that what it accepts is decoded, and that decoding allocates no more
// than twice the estimate. The corpus is in testdata/fuzz.
func FuzzProtobuf(f *testing.F) {
	for _, signal := range []Signal{Traces, Metrics, Logs} {
		protobuf, _ := encodings(f, everything(signal))
		f.Add(uint8(signal), protobuf)
	}
	f.Add(uint8(Traces), inSpan(nested(60, true)))
	f.Fuzz(func(t *testing.T, signal uint8, body []byte) {
		checkProtobuf(t, Signal(signal%3), body)
	})
}

// FuzzJSON does for JSON what FuzzProtobuf does for the binary encoding.
func FuzzJSON(f *testing.F) {
	for _, signal := range []Signal{Traces, Metrics, Logs} {
		_, json := encodings(f, everything(signal))
		f.Add(uint8(signal), json)
	}
	f.Add(uint8(Traces), nestedJSON(60, true))
	f.Add(uint8(Traces), []byte(`{"resource\u0053pans":[{"x":[1,2.5e3,{"y":null}],"x":"\ud83d\ude00"}]}`))
	f.Fuzz(func(t *testing.T, signal uint8, body []byte) {
		checkJSON(t, Signal(signal%3), body)
	})
}
