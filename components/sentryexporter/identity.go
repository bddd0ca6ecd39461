// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// identity is what a resource says about all that comes from it, such that it meets what Dify's own Sentry SDK says.
type identity struct {
	release, environment, serverName string
	platform                         string
	tags                             map[string]string
	contexts                         map[string]any
	otel                             json.RawMessage // the context of that name, which transactions carry
	attributes                       pcommon.Map
	fingerprint                      item.ID // of the process
}

// editions that Dify appends to its environment's name; its Sentry SDK does not.
var editions = []string{"SELF_HOSTED", "COMMUNITY", "ENTERPRISE", "CLOUD"}

// platforms that Sentry knows, by telemetry.sdk.language. Dify's resource does not say it: Python.
var platforms = map[string]string{
	"": "python", "python": "python", "nodejs": "node", "webjs": "javascript", "go": "go", "java": "java", "ruby": "ruby",
	"php": "php", "dotnet": "csharp", "cpp": "native", "rust": "native", "swift": "cocoa", "elixir": "elixir", "erlang": "other",
}

// identities knows those of the processes that sent last, since each push has them again.
type identities struct {
	cfg *Config

	mu sync.Mutex
	// known is guarded by mu.
	known map[item.ID]*identity
}

// knownIdentities bounds them; beyond it all are forgotten.
const knownIdentities = 1000

// of a resource.
func (i *identities) of(res pcommon.Resource) *identity {
	fingerprint := attr.Fingerprint(res.Attributes())
	i.mu.Lock()
	defer i.mu.Unlock()
	if id := i.known[fingerprint]; id != nil {
		return id
	}
	if i.known == nil || len(i.known) >= knownIdentities {
		i.known = map[item.ID]*identity{}
	}
	attrs := pcommon.NewMap() // of its own, or it would hold the whole push
	res.Attributes().CopyTo(attrs)
	id := newIdentity(i.cfg, attrs, fingerprint)
	i.known[fingerprint] = id
	return id
}

func newIdentity(cfg *Config, attrs pcommon.Map, fingerprint item.ID) *identity {
	environment, edition := splitEdition(attr.Text(attrs, difysemconv.AttrEnvironment, difysemconv.AttrOldEnvironment))
	id := &identity{
		release:     protocol.Name(firstOf(cfg.Release, attr.Text(attrs, "service.version")), protocol.MaxRelease),
		environment: protocol.Name(firstOf(cfg.Environment, environment), protocol.MaxEnvironment),
		serverName:  protocol.Line(attr.Text(attrs, "host.name"), protocol.MaxServerName),
		platform:    "other",
		tags:        map[string]string{},
		contexts:    encoded(resourceContexts(attrs)),
		otel:        json.RawMessage(`{"resource":` + string(attr.Data(attrs).Encode(protocol.MaxContextBytes-1024)) + `}`),
		attributes:  attrs,
		fingerprint: fingerprint,
	}
	if p, ok := platforms[attr.Text(attrs, "telemetry.sdk.language")]; ok {
		id.platform = p
	}
	for key, v := range attrs.All() {
		if len(id.tags) >= maxResourceTags {
			break
		}
		switch {
		case key == "service.name", key == "service.namespace", key == "service.instance.id",
			key == difysemconv.AttrRole, key == difysemconv.AttrEdition, key == "container.name", strings.HasPrefix(key, "k8s."):
			protocol.Tag(id.tags, key, v.AsString())
		}
	}
	if edition != "" {
		protocol.Tag(id.tags, difysemconv.AttrEdition, edition)
	}
	return id
}

// maxResourceTags bounds what a resource adds to each event.
const maxResourceTags = 50

// splitEdition takes PRODUCTION-COMMUNITY apart.
func splitEdition(name string) (environment, edition string) {
	for _, e := range editions {
		if rest, ok := strings.CutSuffix(name, "-"+e); ok && rest != "" {
			return rest, e
		}
	}
	return name, ""
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// contextFields are the fields of Sentry's contexts that a resource fills.
var contextFields = map[string][][2]string{ // context → field, attribute
	"runtime": {{"name", "process.runtime.name"}, {"version", "process.runtime.version"}, {"raw_description", "process.runtime.description"}},
	"os":      {{"name", "os.name"}, {"name", "os.type"}, {"version", "os.version"}, {"raw_description", "os.description"}},
	"device":  {{"arch", "host.arch"}},
	"cloud_resource": {
		{"cloud.provider", "cloud.provider"},
		{"cloud.account.id", "cloud.account.id"},
		{"cloud.region", "cloud.region"},
		{"cloud.availability_zone", "cloud.availability_zone"},
		{"cloud.platform", "cloud.platform"},
		{"host.id", "host.id"},
		{"host.type", "host.type"},
	},
}

// encoded contexts are the same for each event of a resource.
func encoded(contexts map[string]any) map[string]any {
	for name, ctx := range contexts {
		if b, err := json.Marshal(ctx); err == nil {
			contexts[name] = json.RawMessage(b)
		}
	}
	return contexts
}

func resourceContexts(attrs pcommon.Map) map[string]any {
	out := map[string]any{}
	for name, fields := range contextFields {
		if name == "cloud_resource" && attr.Text(attrs, "cloud.provider", "cloud.platform") == "" {
			continue // a host id alone is no cloud
		}
		ctx := map[string]any{}
		for _, f := range fields {
			if v := attr.Text(attrs, f[1]); v != "" && ctx[f[0]] == nil {
				ctx[f[0]] = protocol.Text(v, protocol.MaxTagValue)
			}
		}
		if len(ctx) > 0 {
			out[name] = ctx
		}
	}
	return out
}

// fill sets what comes from the resource.
func (id *identity) fill(ev *protocol.Event) {
	ev.Release, ev.Environment, ev.ServerName, ev.Platform = id.release, id.environment, id.serverName, id.platform
	ev.Tags = maps.Clone(id.tags)
	ev.Contexts = maps.Clone(id.contexts)
	ev.SDK = sdkInfo()
}
