// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package exposition

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const text = `# TYPE a counter
a{x="1",y="q\"} {\\"} 2
a{x="1"} 3 1764568000
a{x="2"} 4
b 1e+06
broken{x="1" 5
c none
`

func TestParse(t *testing.T) {
	m, err := Parse(strings.NewReader(text))
	require.NoError(t, err)
	assert.Len(t, m, 2)
	assert.Equal(t, `q"} {\`, m["a"][0].Labels["y"])
	sum, found := m.Sum("a", "x", "1")
	assert.True(t, found)
	assert.InDelta(t, 5, sum, 0)
	sum, _ = m.Sum("b")
	assert.InDelta(t, 1e6, sum, 0)
	_, found = m.Sum("a", "x", "3")
	assert.False(t, found)
}

func TestFetch(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}))
	defer server.Close()
	m, err := Fetch(t.Context(), server.URL)
	require.NoError(t, err)
	assert.Len(t, m["a"], 3)
	status = http.StatusUnauthorized
	_, err = Fetch(t.Context(), server.URL)
	require.ErrorContains(t, err, "HTTP 401")
}
