// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// forward sends an entry in the forward protocol's message mode: tag, time, record.
func (s *stack) forward(t *testing.T, record []byte) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(s.fluent))
	require.NoError(t, err)
	defer conn.Close()
	message := msgp.AppendArrayHeader(nil, 3)
	message = msgp.AppendString(message, "odd")
	message = msgp.AppendInt64(message, time.Now().Unix())
	_, err = conn.Write(append(message, record...))
	require.NoError(t, err)
}

// record returns a record whose line names it, with one more field.
func record(name, key string, value []byte) []byte {
	b := msgp.AppendMapHeader(nil, 3)
	b = msgp.AppendString(msgp.AppendString(b, "log"), "odd "+name)
	b = msgp.AppendString(msgp.AppendString(b, "container_name"), "/docker-api-1")
	return append(msgp.AppendString(b, key), value...)
}

// Fields that no program of Dify sends, but a filter of Fluent Bit can make: each line arrives, and no value becomes
// another one.
func TestOddFieldsOfFluentRecords(t *testing.T) {
	s := newStack(t)
	nested := msgp.AppendMapHeader(nil, 2)
	nested = msgp.AppendUint64(msgp.AppendString(nested, "big"), math.MaxUint64)
	nested = msgp.AppendFloat64(msgp.AppendString(nested, "nan"), math.NaN())
	list := msgp.AppendArrayHeader(nil, 2)
	list = msgp.AppendInt64(msgp.AppendUint64(list, math.MaxUint64), -1)
	numbered := msgp.AppendMapHeader(nil, 1)
	numbered = msgp.AppendString(msgp.AppendInt64(numbered, 7), "seven")
	odd := map[string]struct {
		key   string
		value []byte
		want  map[string]string // attributes
		not   string            // a value that it must not have
	}{
		"uint64":        {"size", msgp.AppendUint64(nil, math.MaxUint64), map[string]string{"size": "18446744073709551615"}, "-1"},
		"over int64":    {"size", msgp.AppendUint64(nil, 1<<63), map[string]string{"size": "9223372036854775808"}, ""},
		"uint64 within": {"nested", nested, nil, "-1"},
		"uint64 listed": {"list", list, nil, ""},
		"NaN":           {"ratio", msgp.AppendFloat64(nil, math.NaN()), nil, "0"},
		"infinity":      {"ratio", msgp.AppendFloat64(nil, math.Inf(1)), nil, "0"},
		"nothing":       {"none", msgp.AppendNil(nil), nil, ""},
		"bytes":         {"raw", msgp.AppendBytes(nil, []byte{0xff, 0, 1}), nil, ""},
		"data_stream": {
			"data_stream", msgp.AppendString(nil, "mine"), map[string]string{"original.data_stream": "mine"}, "",
		},
		"data_stream.type": {
			"data_stream.type", msgp.AppendString(nil, "logs"), map[string]string{"original.data_stream.type": "logs"}, "",
		},
	}
	s.forward(t, record("numbered keys", "map", numbered)) // the stock receiver closes the connection
	for name, tt := range odd {
		s.forward(t, record(name, tt.key, tt.value))
	}
	hits := s.documents(t, len(odd), "dify-logs-*", servers.All())
	for _, hit := range hits {
		name := fmt.Sprint(hit.Source["body"])
		require.Contains(t, name, "odd ")
		tt, known := odd[name[len("odd "):]]
		require.True(t, known, name)
		for key, want := range tt.want {
			assert.Equal(t, want, attribute(hit, key), "%s of %s", key, name)
		}
		if tt.not != "" {
			assert.NotEqual(t, tt.not, attribute(hit, tt.key), name)
		}
		delete(odd, name[len("odd "):])
	}
	assert.Empty(t, odd)
	s.documents(t, 0, "otelcol-dify-dead-letter*", servers.All())
}
