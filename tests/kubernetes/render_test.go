// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubernetes renders the manifests of config/scale as kubectl does, and reads them as the API server does.
package kubernetes

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// manifests are what the API server would get.
type manifests struct {
	namespaces []*corev1.Namespace
	configs    map[string]*corev1.ConfigMap
	secrets    map[string]*corev1.Secret
	services   []*corev1.Service
	sets       map[string]*appsv1.StatefulSet
	metrics    *appsv1.Deployment
	lines      *appsv1.DaemonSet // nil without its component
	topics     *batchv1.Job
	scalers    []*autoscalingv2.HorizontalPodAutoscaler
	budgets    []*policyv1.PodDisruptionBudget
	policies   []*networkingv1.NetworkPolicy
	pods       []*corev1.Pod
}

// decode reads a document as the API server does with strict field validation.
func decode(t *testing.T, document []byte) runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, autoscalingv2.AddToScheme, policyv1.AddToScheme,
		networkingv1.AddToScheme,
	} {
		require.NoError(t, add(scheme))
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	object, _, err := decoder.Decode(document, nil, nil)
	require.NoErrorf(t, err, "%s", document)
	return object
}

func (m *manifests) add(t *testing.T, document []byte) {
	t.Helper()
	switch object := decode(t, document).(type) {
	case *corev1.Namespace:
		m.namespaces = append(m.namespaces, object)
	case *corev1.ConfigMap:
		m.configs[object.Name] = object
	case *corev1.Secret:
		m.secrets[object.Name] = object
	case *corev1.Service:
		m.services = append(m.services, object)
	case *appsv1.StatefulSet:
		m.sets[object.Name] = object
	case *appsv1.Deployment:
		require.Nil(t, m.metrics, "the only Deployment")
		m.metrics = object
	case *appsv1.DaemonSet:
		m.lines = object
	case *batchv1.Job:
		m.topics = object
	case *autoscalingv2.HorizontalPodAutoscaler:
		m.scalers = append(m.scalers, object)
	case *policyv1.PodDisruptionBudget:
		m.budgets = append(m.budgets, object)
	case *networkingv1.NetworkPolicy:
		m.policies = append(m.policies, object)
	case *corev1.Pod:
		m.pods = append(m.pods, object)
	default:
		require.Failf(t, "no rule for it", "%T", object)
	}
}

func folder(names ...string) string {
	return repo.Path(append([]string{"config", "scale"}, names...)...)
}

// render runs `kubectl kustomize`, and adds the Secrets of the example.
func render(t *testing.T, dir string) *manifests {
	t.Helper()
	m := &manifests{
		configs: map[string]*corev1.ConfigMap{}, secrets: map[string]*corev1.Secret{}, sets: map[string]*appsv1.StatefulSet{},
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	require.NoError(t, err)
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		require.NoError(t, err)
		m.add(t, text)
	}
	require.NotEmpty(t, m.sets)
	for _, document := range documents(t, folder("kubernetes", "secrets.example.yaml")) {
		m.add(t, document)
	}
	return m
}

var separator = regexp.MustCompile(`(?m)^---\n`)

// documents returns the documents of a file.
func documents(t *testing.T, file string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(file))
	require.NoError(t, err)
	var documents [][]byte
	for _, document := range separator.Split(string(text), -1) {
		documents = append(documents, []byte(document))
	}
	return documents
}

// templates returns the pod templates by the workload that creates them.
func (m *manifests) templates() map[string]corev1.PodTemplateSpec {
	templates := map[string]corev1.PodTemplateSpec{
		m.metrics.Name: m.metrics.Spec.Template, m.topics.Name: m.topics.Spec.Template,
	}
	if m.lines != nil {
		templates[m.lines.Name] = m.lines.Spec.Template
	}
	for name, set := range m.sets {
		templates[name] = set.Spec.Template
	}
	for _, pod := range m.pods {
		templates[pod.Name] = corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	}
	return templates
}
