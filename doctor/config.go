// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-dify/otelcol-dify/components/celeryqueuereceiver"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor"
	"github.com/otelcol-dify/otelcol-dify/components/difystatusextension"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension"
	"github.com/otelcol-dify/otelcol-dify/components/otlpguardextension"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver"
	"github.com/otelcol-dify/otelcol-dify/doctor/check"
	"github.com/otelcol-dify/otelcol-dify/internal/configfile"
)

// ours are the components whose configuration is validated here, by section and type.
var ours = []struct {
	kind, name string
	defaults   func() component.Config
}{
	{"receivers", "workflow_log", workflowlogreceiver.NewFactory().CreateDefaultConfig},
	{"receivers", "celery_queue", celeryqueuereceiver.NewFactory().CreateDefaultConfig},
	{"processors", "dify_filter", difyfilterprocessor.NewFactory().CreateDefaultConfig},
	{"exporters", "sentry", sentryexporter.NewFactory().CreateDefaultConfig},
	{"extensions", "opensearch_bulk", opensearchbulkextension.NewFactory().CreateDefaultConfig},
	{"extensions", "dify_status", difystatusextension.NewFactory().CreateDefaultConfig},
	{"extensions", "otlp_guard", otlpguardextension.NewFactory().CreateDefaultConfig},
}

// resolve merges the files, with variables expanded, as the collector does.
func resolve(ctx context.Context, files []string) (*confmap.Conf, error) {
	var errs []error
	for _, file := range files {
		if _, err := configfile.Resolve(ctx, file); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return configfile.Resolve(ctx, files...)
}

// ids returns the IDs of the components of a type, in order.
func ids(conf *confmap.Conf, kind, name string) []string {
	components, _ := conf.Get(kind).(map[string]any)
	var found []string
	for _, id := range slices.Sorted(maps.Keys(components)) {
		if typ, _, _ := strings.Cut(id, "/"); typ == name {
			found = append(found, id)
		}
	}
	return found
}

// decode reads and validates the section of a component.
func decode(conf *confmap.Conf, kind, id string, cfg any) error {
	sub, err := conf.Sub(kind + "::" + id)
	if err != nil {
		return err
	}
	if err := sub.Unmarshal(cfg); err != nil {
		return err
	}
	return confmap.Validate(cfg)
}

// validate reports every fault of our components, with the file that has the key, and what the collector's own
// validation finds in the others.
func validate(ctx context.Context, conf *confmap.Conf, opts *Options) []check.Result {
	const name = "configuration: files"
	var results []check.Result
	for _, known := range ours {
		for _, id := range ids(conf, known.kind, known.name) {
			err := decode(conf, known.kind, id, known.defaults())
			for _, fault := range faults(err) {
				results = append(results, check.Failed(name, known.kind+"::"+id+": "+fault,
					where(ctx, opts.Configs, known.kind+"::"+id, fault)))
			}
		}
	}
	if len(results) > 0 {
		return results
	}
	if opts.Collector == "" {
		return []check.Result{check.OK(name, "our components are valid; `otelcol-dify validate` checks the others")}
	}
	args := []string{"validate"}
	for _, file := range opts.Configs {
		args = append(args, "--config", file)
	}
	out, err := exec.CommandContext(ctx, opts.Collector, args...).CombinedOutput() //nolint:gosec // the operator's binary
	if err != nil {
		return []check.Result{check.Failed(name, strings.TrimPrefix(lastLines(string(out)), "Error: "),
			"the key in the message, in "+strings.Join(opts.Configs, ", "))}
	}
	return []check.Result{check.OK(name, strings.Join(opts.Configs, ", "))}
}

// lastLines drops what the collector logs before its error.
func lastLines(out string) string {
	if at := strings.Index(out, "Error: "); at >= 0 {
		return out[at:]
	}
	return out
}

func faults(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(err.Error()), "\n")
}

// where returns the file that sets the key of a fault. The last one decides.
func where(ctx context.Context, files []string, section, fault string) string {
	key := section
	if _, rest, ok := strings.Cut(fault, "`"); ok {
		rest, _, _ = strings.Cut(rest, "`")
		key += "::" + rest
	}
	for _, file := range slices.Backward(files) {
		if conf, err := configfile.Resolve(ctx, file); err == nil && (conf.IsSet(key) || conf.Get(key) != nil) {
			return "`" + key + "` in " + file
		}
	}
	return "`" + key + "` in one of " + strings.Join(files, ", ")
}

// loginOf returns the login of a client whose authenticator is basicauth.
func loginOf(conf *confmap.Conf, client string) opensearchbulkextension.Login {
	id := fmt.Sprint(conf.Get(client + "::auth::authenticator"))
	text := func(key string) string {
		value, _ := conf.Get("extensions::" + id + "::client_auth::" + key).(string)
		return value
	}
	return opensearchbulkextension.Login{Username: text("username"), Password: text("password")}
}

// Collector returns the path of the collector's binary next to an executable, or in its folder's parent.
func Collector(executable string) string {
	at := strings.LastIndexByte(executable, '/')
	if path := executable[:at+1] + "otelcol-dify"; at >= 0 {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}
