// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"cmp"
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

// Identity is what a resource says about everything that comes from it, in the form in which Dify's own Sentry SDK
// reports it. It is shared between pushes and must not be changed.
type Identity struct {
	Release, Environment, ServerName string
	Platform                         string
	Tags                             map[string]string
	OTelContext                      json.RawMessage // the context `otel` of transactions
	Attributes                       pcommon.Map
	Fingerprint                      item.ID // of the process

	contexts map[string]any
}

// editions that Dify appends to the name of its environment, but not in its Sentry SDK.
var editions = []string{"SELF_HOSTED", "COMMUNITY", "ENTERPRISE", "CLOUD"}

// platforms that Sentry knows, by telemetry.sdk.language, which Dify's resource lacks: it is Python.
var platforms = map[string]string{
	"": "python", "python": "python", "nodejs": "node", "webjs": "javascript", "go": "go", "java": "java", "ruby": "ruby",
	"php": "php", "dotnet": "csharp", "cpp": "native", "rust": "native", "swift": "cocoa", "elixir": "elixir",
	"erlang": "other",
}

// Cache keeps the identities of recent resources, since each push repeats them. It is safe for concurrent use.
type Cache struct {
	// Release and Environment, if set, replace what resources say.
	Release, Environment string

	mu sync.Mutex
	// identities is guarded by mu.
	identities map[item.ID]*Identity
}

// maxCached bounds the cache; when it is full, it is emptied.
const maxCached = 1000

// Identity returns the identity of a resource.
func (c *Cache) Identity(res pcommon.Resource) *Identity {
	fingerprint := attr.Fingerprint(res.Attributes())
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := c.identities[fingerprint]; id != nil {
		return id
	}
	if c.identities == nil || len(c.identities) >= maxCached {
		c.identities = map[item.ID]*Identity{}
	}
	attrs := pcommon.NewMap() // a copy, so that the cache does not keep the whole push in memory
	res.Attributes().CopyTo(attrs)
	id := newIdentity(attrs, fingerprint, c.Release, c.Environment)
	c.identities[fingerprint] = id
	return id
}

func newIdentity(attrs pcommon.Map, fingerprint item.ID, release, environment string) *Identity {
	ownEnvironment, edition := splitEdition(attr.Text(attrs, difysemconv.AttrEnvironment, difysemconv.AttrOldEnvironment))
	id := &Identity{
		Release:     protocol.Name(cmp.Or(release, attr.Text(attrs, "service.version")), protocol.MaxRelease),
		Environment: protocol.Name(cmp.Or(environment, ownEnvironment), protocol.MaxEnvironment),
		ServerName:  protocol.Line(attr.Text(attrs, "host.name"), protocol.MaxServerName),
		Platform:    "other",
		Tags:        map[string]string{},
		contexts:    encoded(resourceContexts(attrs)),
		OTelContext: json.RawMessage(`{"resource":` + string(attr.Data(attrs).Encode(protocol.MaxContextBytes-1024)) + `}`),
		Attributes:  attrs,
		Fingerprint: fingerprint,
	}
	if p, ok := platforms[attr.Text(attrs, "telemetry.sdk.language")]; ok {
		id.Platform = p
	}
	for key, v := range attrs.All() {
		if len(id.Tags) >= maxTags {
			break
		}
		switch {
		case key == "service.name", key == "service.namespace", key == "service.instance.id",
			key == difysemconv.AttrRole, key == difysemconv.AttrEdition, key == difysemconv.AttrInstallation,
			key == "container.name", strings.HasPrefix(key, "k8s."):
			protocol.Tag(id.Tags, key, v.AsString())
		}
	}
	if edition != "" {
		protocol.Tag(id.Tags, difysemconv.AttrEdition, edition)
	}
	return id
}

// maxTags bounds the tags that a resource adds to each event.
const maxTags = 50

// splitEdition splits PRODUCTION-COMMUNITY.
func splitEdition(name string) (environment, edition string) {
	for _, e := range editions {
		if rest, ok := strings.CutSuffix(name, "-"+e); ok && rest != "" {
			return rest, e
		}
	}
	return name, ""
}

// contextFields are the fields of Sentry's contexts that come from a resource.
var contextFields = map[string][][2]string{ // context → field, attribute
	"runtime": {
		{"name", "process.runtime.name"},
		{"version", "process.runtime.version"},
		{"raw_description", "process.runtime.description"},
	},
	"os": {
		{"name", "os.name"},
		{"name", "os.type"},
		{"version", "os.version"},
		{"raw_description", "os.description"},
	},
	"device": {{"arch", "host.arch"}},
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

// encoded encodes contexts once, since they are the same for each event of a resource.
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
			continue // a host ID alone does not mean a cloud
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

// Fill sets what comes from the resource.
func (id *Identity) Fill(ev *protocol.Event) {
	ev.Release, ev.Environment, ev.ServerName, ev.Platform = id.Release, id.Environment, id.ServerName, id.Platform
	ev.Tags = maps.Clone(id.Tags)
	ev.Contexts = maps.Clone(id.contexts)
}
