// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseBroker(t *testing.T) {
	for url, want := range map[string]broker{
		"redis://:difyai123456@redis:6379/1": {network: "tcp", addrs: []string{"redis:6379"}, password: "difyai123456", db: 1},
		"redis://redis":                      {network: "tcp", addrs: []string{"redis:6379"}},
		"redis://celery:p%40ss@redis:7000/":  {network: "tcp", addrs: []string{"redis:7000"}, username: "celery", password: "p@ss"},
		"redis://[::1]:6379/2":               {network: "tcp", addrs: []string{"[::1]:6379"}, db: 2},
		"rediss://redis/1?ssl_cert_reqs=CERT_NONE": {
			network: "tcp", addrs: []string{"redis:6379"}, db: 1, tls: true, skipVerify: true,
		},
		"rediss://redis/1?ssl_cert_reqs=CERT_OPTIONAL": {
			network: "tcp", addrs: []string{"redis:6379"}, db: 1, tls: true, verify: true,
		},
		"rediss://redis/1?ssl_check_hostname=False": {
			network: "tcp", addrs: []string{"redis:6379"}, db: 1, tls: true, skipHost: true,
		},
		"rediss://redis/1?ssl_cert_reqs=required&ssl_ca_certs=/ca&ssl_certfile=/c&ssl_keyfile=/k": {
			network: "tcp", addrs: []string{"redis:6379"}, db: 1, tls: true, verify: true,
			caFile: "/ca", certFile: "/c", keyFile: "/k",
		},
		"sentinel://:pw@one:26380/1; sentinel://:pw@two/1": {
			network: "tcp", addrs: []string{"one:26380", "two:26379"}, password: "pw", db: 1, sentinel: true,
		},
		"redis+socket:///run/redis.sock?virtual_host=3": {network: "unix", addrs: []string{"/run/redis.sock"}, db: 3},
	} {
		got, err := parseBroker(url)
		require.NoError(t, err, url)
		assert.Equal(t, want, got, url)
	}
}

// What kombu 5.5 makes of these passwords was recorded with its url_to_parts.
func TestPasswordsThatKombuAccepts(t *testing.T) {
	for written, want := range map[string]string{
		"pa^ss": "pa^ss", "pa%ss": "pa%ss", "pa%": "pa%", "pa%2": "pa%2", "pa%2Fss": "pa/ss", "pa ss": "pa ss",
		"pa|ss": "pa|ss", "pa{s}s": "pa{s}s", "paÄss": "paÄss", "pa%C3%84ss": "paÄss", "pa:ss": "pa:ss", "pa@ss": "pa@ss",
		`pa"ss`: `pa"ss`, `pa\ss`: `pa\ss`, "pa<s>s": "pa<s>s", "pa`ss": "pa`ss", "pa+ss": "pa+ss", "pa&s=s": "pa&s=s",
		"pa$ss": "pa$ss", "pa%25ss": "pa%ss", "密码": "密码", "pa,ss!*'()~": "pa,ss!*'()~",
	} {
		got, err := parseBroker("redis://user:" + written + "@redis:6379/1")
		require.NoError(t, err, written)
		assert.Equal(t, broker{
			network: "tcp", addrs: []string{"redis:6379"}, username: "user", password: want, db: 1,
		}, got, written)
	}
}

func TestIdentityHoldsNoLogin(t *testing.T) {
	b, err := parseBroker("redis://user:secret@redis:6379/1")
	require.NoError(t, err)
	assert.Equal(t, "redis:6379/1", b.identity())
}
