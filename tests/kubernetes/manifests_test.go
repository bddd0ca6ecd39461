// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// The chart's copies are those of config/: `make generate` writes them.
func TestChartHasTheShippedFiles(t *testing.T) {
	sources := map[string]string{
		"collector.yaml": "config", "overlays": "config", "scale": "config",
		"rules": "config/prometheus", "dashboards": "config/grafana",
	}
	found := map[string]bool{}
	for _, file := range load(t).Files {
		name, ok := strings.CutPrefix(file.Name, "files/")
		if !ok {
			continue
		}
		top, _, _ := strings.Cut(name, "/")
		require.Contains(t, sources, top)
		want, err := os.ReadFile(repo.Path(filepath.FromSlash(sources[top]), filepath.FromSlash(name)))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(file.Data), "%s: run make generate", name)
		found[name] = true
	}
	for _, pattern := range []string{"scale/*", "rules/*.yaml", "dashboards/*.json"} {
		top, _ := filepath.Split(pattern)
		files, err := filepath.Glob(repo.Path(sources[strings.TrimSuffix(top, "/")], filepath.FromSlash(pattern)))
		require.NoError(t, err)
		for _, file := range files {
			assert.True(t, found[top+filepath.Base(file)], "%s: run make generate", file)
		}
	}
}

// Helm keeps the chart and the manifests of a release in one Secret, of at most 1 MiB.
func TestReleaseFitsIntoASecret(t *testing.T) {
	values := readValues(t, chartFolder("ci", "existing-secrets-values.yaml"))
	files, err := template(t, values)
	require.NoError(t, err)
	text, err := json.Marshal(map[string]any{"chart": load(t).Raw, "manifest": files})
	require.NoError(t, err)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err = io.Copy(writer, bytes.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	assert.Less(t, packed.Len()*4/3, 512<<10, "half of it")
}

// selected returns the roles of the pods that a selector matches.
func (m *manifests) selected(t *testing.T, selector *metav1.LabelSelector) []string {
	t.Helper()
	match, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	var roles []string
	for role, template := range m.templates() {
		if match.Matches(labels.Set(template.Labels)) {
			roles = append(roles, role)
		}
	}
	return roles
}

func TestSelectorsFindTheirPods(t *testing.T) {
	eachValueSet(t, func(t *testing.T, m *manifests) {
		for name, set := range m.sets {
			role := set.Labels["app.kubernetes.io/component"]
			assert.Equal(t, []string{role}, m.selected(t, set.Spec.Selector))
			for _, constraint := range set.Spec.Template.Spec.TopologySpreadConstraints {
				assert.Equal(t, []string{role}, m.selected(t, constraint.LabelSelector))
			}
			require.Contains(t, m.services, set.Spec.ServiceName, name)
			assert.Equal(t, corev1.ClusterIPNone, m.services[set.Spec.ServiceName].Spec.ClusterIP, name)
			if budget := m.budgets[name]; budget != nil {
				assert.Equal(t, []string{role}, m.selected(t, budget.Spec.Selector))
				assert.Equal(t, 1, budget.Spec.MaxUnavailable.IntValue(), "a drained node must not wait")
			}
		}
		for name, service := range m.services {
			// A drain is a pod without a controller: the labels in its metadata are the ones that count.
			found := m.selected(t, &metav1.LabelSelector{MatchLabels: service.Spec.Selector})
			require.Len(t, found, 1, name)
			names := portNames(m.templates()[found[0]].Spec.Containers[0])
			for _, port := range service.Spec.Ports {
				assert.Equal(t, port.Port, names[port.TargetPort.StrVal], "%s %s", name, port.Name)
			}
		}
	})
}

// Each pod has one policy, which admits exactly what is meant to reach its ports, and lets it reach what it connects
// to.
func TestNetworkPolicies(t *testing.T) {
	ports := map[string][2][]int{ // in, out
		"existing-secrets/collector": {{4317, 4318, 8888, 8889}, {53, 53, 443, 443, 5432, 6379, 8443}},
		"existing-secrets/lines":     {{8888}, {53, 53, 443, 443, 8443}},
		"single/collector":           {{4317, 4318, 8888, 8889}, {53, 53, 5432, 6379, 9200}},
		"kafka/collector":            {{8888, 8889}, {53, 53, 3307, 6379, 9093}},
		"kafka/gateway":              {{4317, 4318, 8888}, {53, 53, 9093}},
		"kafka/writer":               {{8888}, {53, 53, 443, 9093, 9200}},
		"kafka/drain":                {{8888}, {53, 53, 443, 9093, 9200}},
		"kafka/metrics":              {{8888, 8889}, {53, 53, 9093}},
		"kafka/lines":                {{8888}, {53, 53, 9093}},
		"kafka/topics":               {nil, {53, 53, 9093}},
		"kafka-plain/gateway":        {{4317, 4318, 8888}, {53, 53, 9092}},
		"kafka-plain/collector":      {{8888, 8889}, {53, 53, 5432, 6379, 9092}},
		"kafka-plain/writer":         {{8888}, {53, 53, 9092, 9200}},
		"kafka-plain/metrics":        {{8888, 8889}, {53, 53, 9092}},
		"kafka-plain/drain":          {{8888}, {53, 53, 9092}},
	}
	eachValueSet(t, func(t *testing.T, m *manifests) {
		assert.Len(t, m.policies, len(m.templates()))
		for name, policy := range m.policies {
			found := m.selected(t, &policy.Spec.PodSelector)
			require.Len(t, found, 1, name)
			key := filepath.Base(t.Name()) + "/" + found[0]
			require.Contains(t, ports, key)
			var in, out []int
			for _, rule := range policy.Spec.Ingress {
				assert.NotEmpty(t, rule.From, "%s: from anywhere", name)
				for _, port := range rule.Ports {
					in = append(in, port.Port.IntValue())
				}
			}
			for _, rule := range policy.Spec.Egress {
				require.NotEmpty(t, rule.Ports, "%s: to every port", name)
				for _, port := range rule.Ports {
					assert.Equal(t, intstr.Int, port.Port.Type)
					out = append(out, port.Port.IntValue())
				}
			}
			slices.Sort(in)
			slices.Sort(out)
			assert.Equal(t, ports[key][0], in, key)
			assert.Equal(t, ports[key][1], out, key)
			assert.Equal(t, []networkingv1.PolicyType{"Ingress", "Egress"}, policy.Spec.PolicyTypes, key)
		}
	})
	open := valueSet(t, "single", parse(t, "networkPolicy: {egress: {enabled: false}}")).policies[release+"-collector"]
	assert.Equal(t, []networkingv1.PolicyType{"Ingress"}, open.Spec.PolicyTypes)
	assert.Empty(t, open.Spec.Egress)
	assert.Empty(t, valueSet(t, "single", parse(t, "networkPolicy: {enabled: false}")).policies)
}

// The rules select Prometheus' jobs by name; a ServiceMonitor makes the same jobs as the shipped prometheus.yaml.
func TestServiceMonitors(t *testing.T) {
	text, err := os.ReadFile(repo.Path("config", "prometheus", "prometheus.yaml"))
	require.NoError(t, err)
	var shipped struct {
		ScrapeConfigs []struct {
			JobName              string           `json:"job_name"`
			HonorLabels          bool             `json:"honor_labels"`
			MetricRelabelConfigs []map[string]any `json:"metric_relabel_configs"`
		} `json:"scrape_configs"`
	}
	require.NoError(t, yaml.Unmarshal(text, &shipped))
	for _, set := range []string{"existing-secrets", "kafka"} {
		m := valueSet(t, set)
		jobs := map[string]monitoringv1.Endpoint{}
		for name, monitor := range m.monitors {
			for _, endpoint := range monitor.Spec.Endpoints {
				jobs[*endpoint.RelabelConfigs[0].Replacement] = endpoint
			}
			if name != release {
				assert.Equal(t, []string{"dify-prod"}, monitor.Spec.NamespaceSelector.MatchNames)
				assert.NotEmpty(t, monitor.Spec.Selector.MatchLabels)
				continue
			}
			targets := map[string][]string{}
			for _, service := range m.services {
				if labels.SelectorFromSet(monitor.Spec.Selector.MatchLabels).Matches(labels.Set(service.Labels)) {
					role := m.selected(t, &metav1.LabelSelector{MatchLabels: service.Spec.Selector})[0]
					for _, port := range service.Spec.Ports {
						targets[port.Name] = append(targets[port.Name], role)
					}
				}
			}
			pods := len(m.templates())
			if m.topics != nil {
				pods--
			}
			assert.Len(t, targets["telemetry"], pods, "each collector, once")
			assert.Len(t, targets["prometheus"], 1, "one source for each of Dify's series")
		}
		for _, job := range shipped.ScrapeConfigs[:2] {
			require.Contains(t, jobs, job.JobName)
			assert.Equal(t, job.HonorLabels, jobs[job.JobName].HonorLabels)
			assert.Len(t, jobs[job.JobName].MetricRelabelConfigs, len(job.MetricRelabelConfigs))
		}
		assert.Equal(t, set == "existing-secrets", jobs["dify-plugin-daemon"].Path == "/metrics/")
	}
}

// The PrometheusRule has the groups of the shipped files, which the tests of alerting/ run.
func TestPrometheusRule(t *testing.T) {
	files, err := filepath.Glob(repo.Path("config", "prometheus", "rules", "*.yaml"))
	require.NoError(t, err)
	var want monitoringv1.PrometheusRuleSpec
	for _, file := range files {
		text, err := os.ReadFile(filepath.Clean(file))
		require.NoError(t, err)
		var groups monitoringv1.PrometheusRuleSpec
		require.NoError(t, yaml.UnmarshalStrict(text, &groups))
		want.Groups = append(want.Groups, groups.Groups...)
	}
	require.NotEmpty(t, want.Groups)
	m := valueSet(t, "existing-secrets")
	assert.Equal(t, want, m.rules.Spec)
	assert.Equal(t, "kube-prometheus-stack", m.rules.Labels["release"])
	assert.Nil(t, valueSet(t, "single").rules)
}

func TestDashboards(t *testing.T) {
	files, err := filepath.Glob(repo.Path("config", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	m := valueSet(t, "existing-secrets")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		object := m.configs[release+"-"+name]
		require.NotNil(t, object, name)
		text, err := os.ReadFile(filepath.Clean(file))
		require.NoError(t, err)
		assert.Equal(t, map[string]string{name + ".json": string(text)}, object.Data)
		assert.Equal(t, "1", object.Labels["grafana_dashboard"])
		assert.Equal(t, "monitoring", object.Namespace)
		assert.Equal(t, "Dify", object.Annotations["grafana_folder"])
	}
}
