// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/soak"
)

// extent is the length of a schedule.
type extent struct{ records, kills, restarts int }

func schedule() extent {
	return extent{records: soak.Size(10_000, 100_000), kills: soak.Size(5, 20), restarts: soak.Size(1, 20)}
}

const (
	tenants = 50
	stuck   = 20
	large   = 40
	refused = 10
)

// Whatever the network, the node and the collector do, each run and each span is one document in the right index.
func testEveryDocumentOnceThroughAllFaults(t *testing.T, at *site) {
	random, size := newRandom(t), schedule()
	past := size.records / 4
	s := newStand(t, at, standOptions{
		tenants: tenants,
		random:  random,
		before: func(s *stand) {
			s.createMisfitIndex(t)
			require.NoError(t, s.load.stuck(t.Context(), stuck))
			require.NoError(t, s.load.runs(t.Context(), past, true))
		},
	})
	steps := s.steps(random, size)
	rest := portion{runs: size.records - past - stuck, spans: size.records - large}
	for i, step := range steps {
		begin := time.Now()
		step.run(t, rest.share(i, len(steps)))
		t.Logf("%2d/%d: %s, %s", i+1, len(steps), step.name, time.Since(begin).Round(100*time.Millisecond))
	}
	s.sendWhatNodesRefuse(t)
	s.expectEveryDocumentOnce(t)

	letters, err := s.node.Count(t.Context(), "otelcol-dify-dead-letter")
	require.NoError(t, err)
	assert.Equal(t, refused, letters, "dead letters")
	assert.InDelta(t, refused, s.metric(t.Context(), "items_total", `outcome="dead_letter"`), 0)
	assert.NotContains(t, s.Log(), "Exporting failed")
	assert.NotContains(t, s.Log(), password)
}

// sendWhatNodesRefuse sends a request that is too large for the node, and spans that are rejected; these are not
// documents.
func (s *stand) sendWhatNodesRefuse(t *testing.T) {
	t.Helper()
	body, err := s.load.request(large, big(60_000))
	require.NoError(t, err)
	require.NoError(t, s.load.send(t.Context(), body))
	documents := s.load.expectations()
	body, err = s.load.request(refused, misfit)
	require.NoError(t, err)
	require.NoError(t, s.load.send(t.Context(), body))
	s.load.mu.Lock()
	defer s.load.mu.Unlock()
	s.load.expected = documents
}

// step is a fault, with a portion of the load that is sent during it.
type step struct {
	name string
	run  func(t *testing.T, part portion)
}

// steps returns all faults in random order: each at least once, kills and restarts as often as configured.
func (s *stand) steps(random *rand.Rand, size extent) []step {
	steps := append(s.networkFaults(random), s.nodeFaults()...)
	if s.secure {
		steps = append(steps, s.loginFaults(random)...)
	}
	for range size.kills {
		steps = append(steps, s.kills()[random.IntN(len(s.kills()))])
	}
	for range size.restarts {
		steps = append(steps, step{"node killed and restarted", s.restartNode})
	}
	random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	return steps
}

// networkFaults are injected by the proxy, one to three times each.
func (s *stand) networkFaults(random *rand.Rand) []step {
	inASecond := time.Now().Add(time.Second).UTC().Format(http.TimeFormat)
	var steps []step
	for _, f := range []struct {
		name string
		show fault
	}{
		{"connection reset", reset},
		{"accepted, dead before the answer", dieBeforeAnswer},
		{"accepted, dead in the answer", dieInAnswer},
		{"mixed items", mixed},
		{"401 that is not JSON", status(http.StatusUnauthorized, "Unauthorized")},
		{"403", status(http.StatusForbidden, `{"error":{"type":"security_exception","reason":"no permissions"},"status":403}`)},
		{"404 of a gateway", status(http.StatusNotFound, "no such backend")},
		{"408", status(http.StatusRequestTimeout, "")},
		{"413 of a gateway", status(http.StatusRequestEntityTooLarge, "<html>too large</html>")},
		{"429", status(http.StatusTooManyRequests, `{"error":{"type":"rejected_execution_exception","reason":"full"},"status":429}`)},
		{"429 with Retry-After", status(http.StatusTooManyRequests, "", "Retry-After", "1")},
		{"500", status(http.StatusInternalServerError, "{}")},
		{"502 that is HTML", status(http.StatusBadGateway, "<html>bad gateway</html>")},
		{"503 with a date", status(http.StatusServiceUnavailable, "", "Retry-After", inASecond)},
		{"504", status(http.StatusGatewayTimeout, "")},
		{"200 that is HTML", status(http.StatusOK, "<html>welcome</html>")},
	} {
		times := 1 + random.IntN(3)
		steps = append(steps, step{fmt.Sprintf("%s, %d times", f.name, times), func(t *testing.T, part portion) {
			s.proxy.arm(f.show, times)
			s.emit(t, part)
			s.proxy.shown(t)
		}})
	}
	return steps
}

// nodeFaults are the node's own.
func (s *stand) nodeFaults() []step {
	const inflight = "network.breaker.inflight_requests.limit"
	return []step{
		{"no answer", func(t *testing.T, part portion) {
			s.proxy.arm(hang, 1)
			s.emit(t, part)
			s.proxy.shown(t)
		}},
		{"connections refused", s.during(func(*testing.T) { s.proxy.refuse() }, "unreachable", s.proxy.accept)},
		{"node hangs", s.during(
			func(t *testing.T) { require.NoError(t, s.node.Pause()) }, "timeout",
			func(t *testing.T) { require.NoError(t, s.node.Unpause()) })},
		{"cluster read-only", s.during(
			func(t *testing.T) { s.set(t, "cluster.blocks.read_only", true) }, "refused",
			func(t *testing.T) { s.set(t, "cluster.blocks.read_only", nil) })},
		{"indices read-only", func(t *testing.T, part portion) {
			s.emit(t, part.share(0, 2)) // so that there are some
			s.waitForDocuments(t, s.indices(), s.load.count())
			s.during(
				func(t *testing.T) { s.setIndices(t, "index.blocks.write", true) }, "items",
				func(t *testing.T) { s.setIndices(t, "index.blocks.write", nil) },
			)(t, part.share(1, 2))
		}},
		{"circuit breaker", s.during(
			func(t *testing.T) { s.set(t, inflight, "1kb") }, "throttled",
			func(t *testing.T) { s.set(t, inflight, nil) })},
	}
}

// loginFaults are those of a secure node.
func (s *stand) loginFaults(random *rand.Rand) []step {
	return []step{
		{"login expired", s.during(
			func(t *testing.T) { s.setUser(t, "Another-Password-0815", "all_access") }, "refused",
			func(t *testing.T) { s.setUser(t, password, "all_access") })},
		{"role taken away", s.during(
			func(t *testing.T) { s.setUser(t, password, "readall") }, "",
			func(t *testing.T) { s.setUser(t, password, "all_access") })},
		{"TLS handshakes fail", func(t *testing.T, part portion) {
			s.proxy.breakHandshakes(t, 1+random.IntN(3))
			s.emit(t, part)
			s.proxy.shown(t)
		}},
	}
}

// during emits in an outage that lasts until the collector has retried because of it.
func (s *stand) during(begin func(*testing.T), reason string, end func(*testing.T)) func(*testing.T, portion) {
	return func(t *testing.T, part portion) {
		begin(t)
		s.emit(t, part)
		s.waitRetried(t, reason)
		end(t)
	}
}

// restartNode kills the node in the middle of the portion and starts it again after it.
func (s *stand) restartNode(t *testing.T, part portion) {
	at := s.randomRequest(part)
	require.NoError(t, s.load.emit(t.Context(), part, func(request int) {
		if request == at {
			s.node.Kill()
		}
	}))
	require.NoError(t, s.node.Restart(t.Context()))
}

// kills are the situations in which the collector is killed: at work, while requests are retried, and while the node
// does not respond.
func (s *stand) kills() []step {
	return []step{
		{"kill -9 at work", s.killAtWork},
		{"kill -9 in an outage", func(t *testing.T, part portion) {
			s.proxy.refuse()
			s.killAtWork(t, part)
			s.proxy.accept(t)
		}},
		{"kill -9 while the node hangs", func(t *testing.T, part portion) {
			require.NoError(t, s.node.Pause())
			s.killAtWork(t, part)
			require.NoError(t, s.node.Unpause())
		}},
	}
}

// killAtWork kills the collector after a random request of the portion, while the portion is sent.
func (s *stand) killAtWork(t *testing.T, part portion) {
	at := s.randomRequest(part)
	reached, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.load.emit(t.Context(), part, func(request int) {
			if request == at {
				close(reached)
			}
		})
	}()
	select {
	case <-reached:
	case err := <-done:
		done <- err
	}
	s.KillAndRestart(t)
	require.NoError(t, <-done)
}

func (s *stand) randomRequest(part portion) int {
	s.load.mu.Lock()
	defer s.load.mu.Unlock()
	return s.load.random.IntN(part.requests())
}

func (s *stand) emit(t *testing.T, part portion) {
	t.Helper()
	require.NoError(t, s.load.emit(t.Context(), part, func(int) {}))
}
