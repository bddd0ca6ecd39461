// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
)

const configFolder = "/etc/otelcol-dify/scale/"

// notApplied are files for special occasions, or with placeholders.
var notApplied = []string{"kubernetes/drain.yaml", "kubernetes/secrets.example.yaml"}

func kustomization(t *testing.T) types.Kustomization {
	t.Helper()
	text, err := os.ReadFile(folder("kustomization.yaml"))
	require.NoError(t, err)
	var k types.Kustomization
	require.NoError(t, k.Unmarshal(text), "strictly")
	return k
}

func TestEveryFileIsStrictAndApplied(t *testing.T) {
	files, err := filepath.Glob(folder("kubernetes", "*.yaml"))
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, "kubernetes/"+filepath.Base(file))
		for _, document := range documents(t, file) {
			decode(t, document)
		}
	}
	assert.ElementsMatch(t, append(kustomization(t).Resources, notApplied...), names)
}

func TestConfigMapIsTheFiles(t *testing.T) {
	m := render(t, folder())
	generated := m.configs[collectorConfig(t, m)]
	generator := kustomization(t).ConfigMapGenerator
	require.Len(t, generator, 1)
	assert.Len(t, generated.Data, len(generator[0].FileSources))
	for name, text := range generated.Data {
		file, err := os.ReadFile(folder(name))
		require.NoError(t, err)
		assert.Equal(t, string(file), text, name)
	}
	files, err := filepath.Glob(folder("*"))
	require.NoError(t, err)
	for _, file := range files {
		if name := filepath.Base(file); name != "kustomization.yaml" && name != "kubernetes" {
			assert.Contains(t, generated.Data, name)
		}
	}
}

// collectorConfig returns the name of the ConfigMap, with its hash.
func collectorConfig(t *testing.T, m *manifests) string {
	t.Helper()
	for name := range m.configs {
		if regexp.MustCompile(`^otelcol-dify-[a-z0-9]{10}$`).MatchString(name) {
			return name
		}
	}
	require.Fail(t, "no ConfigMap of the files")
	return ""
}

// drained is render with the pod of drain.yaml, filled in as its comment says.
func drained(t *testing.T, m *manifests) *manifests {
	t.Helper()
	documents := documents(t, folder("kubernetes", "drain.yaml"))
	require.Len(t, documents, 1)
	m.add(
		t,
		[]byte(
			strings.Replace(
				string(documents[0]), "configMap: {name: otelcol-dify}", "configMap: {name: "+collectorConfig(t, m)+"}", 1,
			),
		),
	)
	return m
}

func TestEachPodFindsWhatItNames(t *testing.T) {
	m := drained(t, render(t, folder()))
	for name, template := range m.templates() {
		t.Run(name, func(t *testing.T) {
			require.Len(t, template.Spec.Containers, 1)
			container := template.Spec.Containers[0]
			env := m.environment(t, container)
			if name != "otelcol-topics" {
				assert.Regexp(t, `^registry\.example\.com/otelcol-dify:\d`, container.Image)
				m.checkConfig(t, container, env)
			}
			m.checkVolumes(t, name, template.Spec)
		})
	}
}

// environment returns a container's variables, merged as Kubernetes does: a later source takes precedence.
func (m *manifests) environment(t *testing.T, container corev1.Container) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, source := range container.EnvFrom {
		if source.ConfigMapRef != nil {
			require.Contains(t, m.configs, source.ConfigMapRef.Name)
			maps.Copy(env, m.configs[source.ConfigMapRef.Name].Data)
			continue
		}
		require.Contains(t, m.secrets, source.SecretRef.Name, "the example has it")
		maps.Copy(env, m.secrets[source.SecretRef.Name].StringData)
	}
	for _, variable := range container.Env {
		env[variable.Name] = variable.Value
	}
	return env
}

var reference = regexp.MustCompile(`\$\{env:([A-Z_]+)(:-)?`)

// checkConfig lets the real binary validate the container's files with its variables.
func (m *manifests) checkConfig(t *testing.T, container corev1.Container, env map[string]string) {
	t.Helper()
	data := m.configs[collectorConfig(t, m)].Data
	var files []string
	read := map[string]bool{}
	for _, arg := range container.Args {
		file, ok := strings.CutPrefix(arg, "--config="+configFolder)
		require.True(t, ok, arg)
		require.Contains(t, data, file)
		files = append(files, folder(file))
		for _, match := range reference.FindAllStringSubmatch(data[file], -1) {
			read[match[1]] = true
			if match[2] == "" {
				assert.Containsf(t, env, match[1], "%s has no default in %s", match[1], file)
			}
		}
	}
	result := collector.Validate(t, env, files...)
	assert.Zero(t, result.Code, result.Output)
	for _, source := range container.EnvFrom {
		if source.SecretRef == nil || source.SecretRef.Optional != nil && *source.SecretRef.Optional {
			continue
		}
		for key := range m.secrets[source.SecretRef.Name].StringData {
			assert.True(t, read[key], "it gets the secret %s, which none of its files reads", key)
		}
	}
}

func (m *manifests) checkVolumes(t *testing.T, name string, spec corev1.PodSpec) {
	t.Helper()
	volumes := map[string]bool{}
	for _, volume := range spec.Volumes {
		volumes[volume.Name] = true
		if volume.ConfigMap != nil {
			assert.Contains(t, m.configs, volume.ConfigMap.Name)
		}
		if volume.PersistentVolumeClaim != nil {
			assert.Regexp(
				t,
				`^storage-otelcol-writer-\d+$`,
				volume.PersistentVolumeClaim.ClaimName,
				"a claim of the StatefulSet",
			)
		}
	}
	if set := m.sets[name]; set != nil {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			volumes[claim.Name] = true
		}
	}
	mounts := map[string]string{}
	for _, mount := range spec.Containers[0].VolumeMounts {
		assert.True(t, volumes[mount.Name], mount.Name)
		delete(volumes, mount.Name)
		mounts[mount.Name] = mount.MountPath
	}
	assert.Empty(t, volumes, "not mounted")
	assert.Equal(t, strings.TrimSuffix(configFolder, "/"), mounts["config"])
	if m.sets[name] != nil || name == "otelcol-drain" {
		assert.Equal(t, "/var/lib/otelcol-dify", mounts["storage"])
	}
}

func TestEachPodIsLockedDown(t *testing.T) {
	m := drained(t, render(t, folder()))
	require.Equal(t, "restricted", m.namespaces[0].Labels["pod-security.kubernetes.io/enforce"])
	for name, template := range m.templates() {
		spec, container := template.Spec, template.Spec.Containers[0]
		assert.True(t, *spec.SecurityContext.RunAsNonRoot, name)
		assert.GreaterOrEqual(t, *spec.SecurityContext.RunAsUser, int64(1000), name)
		assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, spec.SecurityContext.SeccompProfile.Type, name)
		assert.False(t, *spec.AutomountServiceAccountToken, name)
		assert.False(t, *container.SecurityContext.AllowPrivilegeEscalation, name)
		assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem, name)
		assert.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop, name)
		assert.Empty(t, container.SecurityContext.Capabilities.Add, name)
		assert.NotEmpty(t, container.Resources.Requests, name)
		assert.NotZero(t, container.Resources.Limits.Memory(), name)
		for _, port := range container.Ports {
			assert.Zero(t, port.HostPort, name)
		}
		if name == "otelcol-topics" {
			continue
		}
		assert.Equal(t, int64(10001), *spec.SecurityContext.RunAsUser, name)
		if len(container.VolumeMounts) > 1 {
			assert.Equal(t, int64(10001), *spec.SecurityContext.FSGroup, "%s: who owns its storage", name)
		}
		for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
			require.NotNil(t, probe, name)
			assert.Contains(t, portNames(container), probe.HTTPGet.Port.StrVal, name)
		}
	}
}

func portNames(container corev1.Container) map[string]int32 {
	names := map[string]int32{}
	for _, port := range container.Ports {
		names[port.Name] = port.ContainerPort
	}
	return names
}

// selected returns the pods that a selector matches.
func (m *manifests) selected(t *testing.T, selector *metav1.LabelSelector) []string {
	t.Helper()
	match, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	var names []string
	for name, template := range m.templates() {
		if match.Matches(labels.Set(template.Labels)) {
			names = append(names, name)
		}
	}
	return names
}

func TestSelectorsFindTheirPods(t *testing.T) {
	m := drained(t, render(t, folder()))
	for name, set := range m.sets {
		assert.Equal(t, []string{name}, m.selected(t, set.Spec.Selector))
		for _, constraint := range set.Spec.Template.Spec.TopologySpreadConstraints {
			assert.Equal(t, []string{name}, m.selected(t, constraint.LabelSelector))
		}
	}
	assert.Equal(t, []string{m.metrics.Name}, m.selected(t, m.metrics.Spec.Selector))
	headless := map[string]bool{}
	for _, service := range m.services {
		found := m.selected(t, &metav1.LabelSelector{MatchLabels: service.Spec.Selector})
		require.Equal(t, []string{strings.TrimSuffix(service.Name, "-pods")}, found)
		headless[service.Name] = service.Spec.ClusterIP == corev1.ClusterIPNone
		names := portNames(m.templates()[found[0]].Spec.Containers[0])
		for _, port := range service.Spec.Ports {
			assert.Equal(t, port.Port, names[port.TargetPort.StrVal], "%s %s", service.Name, port.Name)
		}
	}
	for name, set := range m.sets {
		assert.True(t, headless[set.Spec.ServiceName], name)
	}
	for _, budget := range m.budgets {
		assert.Equal(t, []string{budget.Name}, m.selected(t, budget.Spec.Selector))
		assert.Equal(t, 1, budget.Spec.MaxUnavailable.IntValue())
	}
	for _, policy := range m.policies {
		assert.NotEmpty(t, m.selected(t, &policy.Spec.PodSelector), policy.Name)
	}
}
