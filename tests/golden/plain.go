// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// plain normalizes what differs between runs and machines: ports, process ids, paths, ids.
type plain struct {
	paths *strings.Replacer
	ports map[int64]int64
	uuids map[string]string
}

const (
	apiPID, workerPID = 8, 9
	ephemeralPort     = 50000
)

func newPlain(g *generation) *plain {
	broker, database := portOf(g.broker), portOf(g.database)
	return &plain{
		paths: strings.NewReplacer(
			g.venv, "/app/api/.venv",
			repo.Path("tests", "golden"), "/app/api",
			fmt.Sprint("127.0.0.1:", g.port), "127.0.0.1:5001",
			fmt.Sprint("127.0.0.1:", broker), "127.0.0.1:6379",
			fmt.Sprint("127.0.0.1:", database), "127.0.0.1:5432",
		),
		ports: map[int64]int64{int64(g.port): 5001, broker: 6379, database: 5432},
		uuids: map[string]string{},
	}
}

func portOf(address string) int64 {
	u, err := url.Parse(address)
	if err != nil {
		return 0
	}
	port, _ := strconv.ParseInt(u.Port(), 10, 64)
	return port
}

var (
	uuids       = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	addresses   = regexp.MustCompile(`0x[0-9a-f]{6,}`)
	workerNames = regexp.MustCompile(`gen\d+@[\w.-]+`)
	parents     = regexp.MustCompile(`00-[0-9a-f]{32}-[0-9a-f]{16}-0\d`)
)

// ours are the prefixes of ids that dify.py chose, which are kept.
const ours = "7d4b1f0e-"

func (p *plain) text(s string) string {
	s = p.paths.Replace(s)
	s = addresses.ReplaceAllString(s, "0x0")
	s = workerNames.ReplaceAllString(s, "gen8@dify-api")
	s = parents.ReplaceAllString(s, "00-"+strings.Repeat("0", 32)+"-"+strings.Repeat("0", 16)+"-01")
	return uuids.ReplaceAllStringFunc(s, func(id string) string {
		if strings.HasPrefix(id, ours) {
			return id
		}
		if _, ok := p.uuids[id]; !ok {
			p.uuids[id] = fmt.Sprintf("00000000-0000-4000-8000-%012d", len(p.uuids)+1)
		}
		return p.uuids[id]
	})
}

func (p *plain) attributes(m pcommon.Map) {
	for key, value := range m.All() {
		switch value.Type() {
		case pcommon.ValueTypeStr:
			value.SetStr(p.text(value.Str()))
		case pcommon.ValueTypeInt:
			value.SetInt(p.number(key, value.Int()))
		}
	}
}

func (p *plain) number(key string, n int64) int64 {
	if !strings.HasSuffix(key, ".port") {
		return n
	}
	if port, ok := p.ports[n]; ok {
		return port
	}
	return ephemeralPort
}

// resource returns the role of the process that the resource represents.
func (p *plain) resource(res pcommon.Resource) string {
	role, pid := "api", int64(apiPID)
	if host, ok := res.Attributes().Get("host.name"); ok && strings.Contains(host.Str(), "worker") {
		role, pid = "worker", workerPID
	}
	p.attributes(res.Attributes())
	res.Attributes().PutInt("process.pid", pid)
	return role
}
