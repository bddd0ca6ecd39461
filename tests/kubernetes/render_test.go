// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubernetes renders the Helm chart with Helm's own library, reads the result as the API server does, and runs
// each pod's configuration through the binary.
package kubernetes

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

const (
	release   = "otelcol-dify"
	namespace = "dify"
)

// manifests are what the API server would get, by name.
type manifests struct {
	configs  map[string]*corev1.ConfigMap
	secrets  map[string]*corev1.Secret
	services map[string]*corev1.Service
	sets     map[string]*appsv1.StatefulSet
	metrics  *appsv1.Deployment
	lines    *appsv1.DaemonSet
	topics   *batchv1.Job
	drain    *corev1.Pod
	scalers  map[string]*autoscalingv2.HorizontalPodAutoscaler
	budgets  map[string]*policyv1.PodDisruptionBudget
	policies map[string]*networkingv1.NetworkPolicy
	monitors map[string]*monitoringv1.ServiceMonitor
	rules    *monitoringv1.PrometheusRule
	notes    string
}

func chartFolder(names ...string) string {
	return repo.Path(append([]string{"charts", "otelcol-dify"}, names...)...)
}

func folder(names ...string) string {
	return repo.Path(append([]string{"config", "scale"}, names...)...)
}

// load reads the chart as `helm package` does.
func load(t *testing.T) *chart.Chart {
	t.Helper()
	loaded, err := loader.LoadDir(chartFolder())
	require.NoError(t, err)
	require.NoError(t, loaded.Validate())
	return loaded
}

// readValues reads a file of values.
func readValues(t *testing.T, path string) map[string]any {
	t.Helper()
	values, err := chartutil.ReadValuesFile(path)
	require.NoError(t, err)
	return values
}

// template is `helm template`, with the validation by values.schema.json.
func template(t *testing.T, values map[string]any) (map[string]string, error) {
	t.Helper()
	loaded := load(t)
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	merged, err := chartutil.ToRenderValues(loaded, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(loaded, merged)
}

func render(t *testing.T, values map[string]any) *manifests {
	t.Helper()
	files, err := template(t, values)
	require.NoError(t, err)
	m := &manifests{
		configs: map[string]*corev1.ConfigMap{}, secrets: map[string]*corev1.Secret{},
		services: map[string]*corev1.Service{}, sets: map[string]*appsv1.StatefulSet{},
		scalers:  map[string]*autoscalingv2.HorizontalPodAutoscaler{},
		budgets:  map[string]*policyv1.PodDisruptionBudget{},
		policies: map[string]*networkingv1.NetworkPolicy{}, monitors: map[string]*monitoringv1.ServiceMonitor{},
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case filepath.Base(name) == "NOTES.txt":
			m.notes = files[name]
		case filepath.Ext(name) == ".yaml":
			for _, document := range separator.Split(files[name], -1) {
				if content.MatchString(document) {
					m.add(t, document)
				}
			}
		}
	}
	require.NotEmpty(t, m.sets)
	return m
}

var (
	separator = regexp.MustCompile(`(?m)^---\s*$`)
	content   = regexp.MustCompile(`(?m)^[a-z]`)
)

// decode reads a document as the API server does with strict field validation.
func decode(t *testing.T, document string) runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, autoscalingv2.AddToScheme, policyv1.AddToScheme,
		networkingv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		require.NoError(t, add(scheme))
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	object, _, err := decoder.Decode([]byte(document), nil, nil)
	require.NoErrorf(t, err, "%s", document)
	return object
}

func (m *manifests) add(t *testing.T, document string) {
	t.Helper()
	object := decode(t, document)
	accessor, err := meta.Accessor(object)
	require.NoError(t, err)
	name := accessor.GetName()
	assert.Empty(t, validation.IsDNS1123Label(name), name)
	assert.Equal(t, release, accessor.GetLabels()["app.kubernetes.io/instance"], name)
	for key, value := range accessor.GetLabels() {
		assert.Empty(t, validation.IsQualifiedName(key), key)
		assert.Empty(t, validation.IsValidLabelValue(value), "%s: %s", key, value)
	}
	switch object := object.(type) {
	case *corev1.ConfigMap:
		put(t, m.configs, name, object)
	case *corev1.Secret:
		put(t, m.secrets, name, object)
	case *corev1.Service:
		put(t, m.services, name, object)
	case *appsv1.StatefulSet:
		put(t, m.sets, name, object)
	case *appsv1.Deployment:
		m.metrics = once(t, m.metrics, object)
	case *appsv1.DaemonSet:
		m.lines = once(t, m.lines, object)
	case *batchv1.Job:
		m.topics = once(t, m.topics, object)
	case *corev1.Pod:
		m.drain = once(t, m.drain, object)
	case *autoscalingv2.HorizontalPodAutoscaler:
		put(t, m.scalers, name, object)
	case *policyv1.PodDisruptionBudget:
		put(t, m.budgets, name, object)
	case *networkingv1.NetworkPolicy:
		put(t, m.policies, name, object)
	case *monitoringv1.ServiceMonitor:
		put(t, m.monitors, name, object)
	case *monitoringv1.PrometheusRule:
		m.rules = once(t, m.rules, object)
	default:
		require.Failf(t, "no rule for it", "%T", object)
	}
}

func put[T any](t *testing.T, all map[string]T, name string, object T) {
	t.Helper()
	require.NotContains(t, all, name)
	all[name] = object
}

func once[T any](t *testing.T, old, object *T) *T {
	t.Helper()
	require.Nil(t, old, "a second %T", object)
	return object
}

// templates returns the pod templates by role.
func (m *manifests) templates() map[string]corev1.PodTemplateSpec {
	templates := map[string]corev1.PodTemplateSpec{}
	for name, set := range m.sets {
		role := strings.TrimPrefix(strings.TrimPrefix(name, release), "-")
		if role == "" {
			role = "collector"
		}
		templates[role] = set.Spec.Template
	}
	if m.metrics != nil {
		templates["metrics"] = m.metrics.Spec.Template
	}
	if m.lines != nil {
		templates["lines"] = m.lines.Spec.Template
	}
	if m.topics != nil {
		templates["topics"] = m.topics.Spec.Template
	}
	if m.drain != nil {
		templates["drain"] = corev1.PodTemplateSpec{ObjectMeta: m.drain.ObjectMeta, Spec: m.drain.Spec}
	}
	return templates
}

// eachValueSet runs a test with each file of the chart's ci folder.
func eachValueSet(t *testing.T, test func(t *testing.T, m *manifests)) {
	t.Helper()
	files, err := filepath.Glob(chartFolder("ci", "*-values.yaml"))
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), "-values.yaml"), func(t *testing.T) {
			test(t, render(t, readValues(t, file)))
		})
	}
}

// valueSet renders one file of the chart's ci folder, with further values over it.
func valueSet(t *testing.T, name string, further ...map[string]any) *manifests {
	t.Helper()
	values := readValues(t, chartFolder("ci", name+"-values.yaml"))
	for _, over := range further {
		values = merge(values, over)
	}
	return render(t, values)
}

// parse reads values that are given as text.
func parse(t *testing.T, format string, args ...any) map[string]any {
	t.Helper()
	values, err := chartutil.ReadValues(fmt.Appendf(nil, format, args...))
	require.NoError(t, err)
	return values
}

// merge returns the values with others over them, as `helm --values` does.
func merge(values, over map[string]any) map[string]any {
	return chartutil.CoalesceTables(chartutil.CoalesceTables(map[string]any{}, over), values)
}
