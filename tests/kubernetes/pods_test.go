// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
)

const configFolder = "/etc/otelcol-dify/config/"

// elsewhere are the objects that the value sets refer to, and that the chart does not create.
var elsewhere = map[string]string{
	"dify-postgresql": "postgres-password", "dify-redis": "redis-password", "opensearch-login": "user pass", "sentry": "dsn",
	"dify-otlp": "OTLP_API_KEY", "dify": "CELERY_BROKER_URL", "dify-worker": "CELERY_BROKER_URL", "dify-database": "user password", "company-ca": "ca.crt",
	"kafka-ca": "ca.crt", "kafka-admin": "client.properties", "storage-otelcol-dify-writer-2": "",
	"storage-otelcol-dify-gateway-5": "", "storage-otelcol-reader-0": "",
}

// The restricted profile of Pod Security, as the API server evaluates it. Only the pods that read a folder of the node
// differ from it, in that folder and in root as the owner of its files.
func TestPodsComplyWithTheRestrictedProfile(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	eachValueSet(t, func(t *testing.T, m *manifests) {
		for role, template := range m.templates() {
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
			if role == "lines" {
				assert.Equal(t, []string{"restricted volume types", "runAsNonRoot != true", "runAsUser=0"},
					slices.DeleteFunc(result.ForbiddenReasons, func(r string) bool { return r == "hostPath volumes" }))
			} else {
				assert.True(t, result.Allowed, "%s: %s", role, result.ForbiddenDetail())
			}
			spec, container := template.Spec, template.Spec.Containers[0]
			assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem, role)
			assert.False(t, *spec.AutomountServiceAccountToken, role)
			assert.NotEmpty(t, container.Resources.Requests, role)
			assert.NotZero(t, container.Resources.Limits.Memory(), role)
			for _, port := range container.Ports {
				assert.Zero(t, port.HostPort, role)
			}
			if role == "topics" {
				continue
			}
			if role != "lines" {
				assert.Equal(t, int64(10001), *spec.SecurityContext.RunAsUser, role)
				assert.Equal(t, int64(10001), *spec.SecurityContext.FSGroup, "%s: who owns its storage", role)
			}
			for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
				require.NotNil(t, probe, role)
				assert.Contains(t, portNames(container), probe.HTTPGet.Port.StrVal, role)
			}
		}
	})
}

func portNames(container corev1.Container) map[string]int32 {
	names := map[string]int32{}
	for _, port := range container.Ports {
		names[port.Name] = port.ContainerPort
	}
	return names
}

func TestEachPodFindsWhatItNames(t *testing.T) {
	eachValueSet(t, func(t *testing.T, m *manifests) {
		for role, template := range m.templates() {
			require.Len(t, template.Spec.Containers, 1)
			container := template.Spec.Containers[0]
			m.checkVolumes(t, role, template.Spec)
			env := m.environment(t, container)
			if role == "topics" {
				assert.Contains(t, m.configs[release+"-topics"].Data, filepath.Base(container.Command[1]))
				continue
			}
			assert.Regexp(t, `^ghcr\.io/otelcol-dify/otelcol-dify(:\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$`, container.Image)
			m.checkConfig(t, role, container, env)
		}
	})
}

var expansion = regexp.MustCompile(`\$\(([A-Z_]+)\)`)

// environment returns a container's variables as Kubernetes resolves them.
func (m *manifests) environment(t *testing.T, container corev1.Container) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, variable := range container.Env {
		require.NotContains(t, env, variable.Name)
		if variable.ValueFrom == nil {
			env[variable.Name] = expansion.ReplaceAllStringFunc(variable.Value, func(reference string) string {
				value, ok := env[expansion.FindStringSubmatch(reference)[1]]
				assert.True(t, ok, "%s of %s", reference, variable.Name)
				return value
			})
			continue
		}
		ref := variable.ValueFrom.SecretKeyRef
		if secret := m.secrets[ref.Name]; secret != nil {
			require.Contains(t, secret.Data, ref.Key)
			env[variable.Name] = string(secret.Data[ref.Key])
			continue
		}
		require.Contains(t, strings.Fields(elsewhere[ref.Name]), ref.Key, variable.Name)
		env[variable.Name] = "from-" + ref.Name
		if variable.Name == "OTELCOL_SENTRY_DSN" {
			env[variable.Name] = "https://key@sentry.example.com/1"
		}
		if variable.Name == "CELERY_BROKER_URL" {
			env[variable.Name] = "redis://redis.example.com:6379/1"
		}
	}
	return env
}

var reference = regexp.MustCompile(`\$\{env:([A-Z_]+)(:-)?`)

// configFiles writes the files of a container, as its volume has them.
func (m *manifests) configFiles(t *testing.T, role string, container corev1.Container) []string {
	t.Helper()
	data, dir := m.configs[release+"-"+role].Data, t.TempDir()
	var files []string
	for _, arg := range container.Args {
		name, ok := strings.CutPrefix(arg, "--config="+configFolder)
		require.True(t, ok, arg)
		require.Contains(t, data, name)
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(data[name]), 0o600))
		files = append(files, file)
	}
	assert.Len(t, data, len(files), "%s: each file is used", role)
	return files
}

// checkConfig lets the binary validate a container's files with its variables: it has those that the files need, and
// no other.
func (m *manifests) checkConfig(t *testing.T, role string, container corev1.Container, env map[string]string) {
	t.Helper()
	files := m.configFiles(t, role, container)
	read := map[string]bool{"GOMEMLIMIT": true, "REDIS_PASSWORD": true}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Clean(file))
		require.NoError(t, err)
		for _, match := range reference.FindAllStringSubmatch(string(text), -1) {
			read[match[1]] = true
			if match[2] == "" {
				assert.NotEmptyf(t, env[match[1]], "%s has no default in %s", match[1], file)
			}
		}
	}
	for name := range env {
		assert.True(t, read[name], "%s gets %s, which none of its files reads", role, name)
	}
	withAuthorities(t, env)
	result := collector.Validate(t, env, files...)
	assert.Zero(t, result.Code, "%s: %s", role, result.Output)
}

// withAuthorities replaces the paths of mounted certificate authorities by those of a file on this machine.
func withAuthorities(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{"OTELCOL_OPENSEARCH_CA_FILE", "OTELCOL_KAFKA_CA_FILE"} {
		if env[name] != "" {
			env[name] = "/etc/ssl/certs/ca-certificates.crt"
		}
	}
}

func (m *manifests) checkVolumes(t *testing.T, role string, spec corev1.PodSpec) {
	t.Helper()
	volumes := map[string]bool{}
	for _, volume := range spec.Volumes {
		volumes[volume.Name] = true
		switch {
		case volume.ConfigMap != nil && m.configs[volume.ConfigMap.Name] == nil:
			assert.Contains(t, elsewhere, volume.ConfigMap.Name)
		case volume.Secret != nil:
			assert.Contains(t, elsewhere, volume.Secret.SecretName)
		case volume.PersistentVolumeClaim != nil:
			assert.Contains(t, elsewhere, volume.PersistentVolumeClaim.ClaimName)
		}
	}
	for _, set := range m.sets {
		if set.Spec.Template.Labels["app.kubernetes.io/component"] == role {
			for _, claim := range set.Spec.VolumeClaimTemplates {
				volumes[claim.Name] = true
			}
		}
	}
	mounts := map[string]string{}
	for _, mount := range spec.Containers[0].VolumeMounts {
		assert.True(t, volumes[mount.Name], "%s: %s", role, mount.Name)
		delete(volumes, mount.Name)
		mounts[mount.Name] = mount.MountPath
	}
	assert.Empty(t, volumes, "%s: not mounted", role)
	assert.Equal(t, configFolder, mounts["config"]+"/")
	if role != "metrics" && role != "topics" {
		assert.Equal(t, "/var/lib/otelcol-dify", mounts["storage"], role)
	}
	for name, path := range mounts {
		if authority, ok := strings.CutSuffix(name, "-ca"); ok {
			file := spec.Containers[0].Env[slices.IndexFunc(spec.Containers[0].Env, func(v corev1.EnvVar) bool {
				return v.Name == "OTELCOL_"+strings.ToUpper(authority)+"_CA_FILE"
			})].Value
			assert.Equal(t, path+"/ca.crt", file)
		}
	}
}

// Each pod starts with its files and variables, and becomes ready although nothing that it connects to can be reached.
func TestPodsStart(t *testing.T) {
	for set, roles := range map[string][]string{
		"existing-secrets": {"collector", "lines"}, "kafka": {"collector", "gateway", "writer", "metrics", "lines"},
	} {
		m := valueSet(t, set, parse(t, "collector: {config: {receivers: {workflow_log: {host: 127.0.0.1, port: 9}}}}"))
		for _, role := range roles {
			t.Run(set+"/"+role, func(t *testing.T) {
				container := m.templates()[role].Spec.Containers[0]
				env := m.environment(t, container)
				withAuthorities(t, env)
				for name := range env {
					switch name {
					case "OTELCOL_KAFKA_BROKERS", "DB_HOST":
						env[name] = "127.0.0.1:9"
					case "OTELCOL_OPENSEARCH_URL", "OTELCOL_DASHBOARDS_URL":
						env[name] = "https://127.0.0.1:9"
					case "CELERY_BROKER_URL":
						env[name] = "redis://127.0.0.1:9/1"
					}
				}
				c := collector.Start(t, collector.Options{Configs: m.configFiles(t, role, container), Env: env})
				require.NoError(t, c.Alive())
			})
		}
	}
}
