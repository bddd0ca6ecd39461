// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// everything has the defaults of the processor.
var everything = NewRedactor(Settings{
	UserIDs: ActionHash, TruncateTo: longText, SQL: true, URLQueries: true, Messages: true, Secrets: true,
})

func TestScrubFindsSecrets(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"Dify app key":     {"key app-Zk3v9QwX7LmN2pR8sT1uVbYc used", "key app-*** used"},
		"Dify dataset key": {"dataset-Zk3v9QwX7LmN2pR8sT1uVbYc", "dataset-***"},
		"OpenAI key": {
			"Incorrect API key provided: sk-proj-a1B2c3D4e5F6g7H8i9J0.",
			"Incorrect API key provided: sk-proj-***.",
		},
		"key that is provided": {
			"Error: 401 Incorrect API key provided: zq81mmk2ppx0. Find it in",
			"Error: 401 Incorrect API key provided: ***. Find it in",
		},
		"secret in a statement that is quoted": {
			"[SQL: ALTER ROLE x SET token=zq81mmk2ppx0]", "[SQL: ALTER ROLE x SET token=***]",
		},
		"secret in a line that is quoted": {"LINE 1: SET token=zq81mmk2ppx0", "LINE 1: SET token=***"},
		"Dify's failed request": {
			"Request to URL http://a:1/z?q=what he asked, twice failed on attempt 1: [Errno 111]",
			"Request to URL http://a:1/z?*** failed on attempt 1: [Errno 111]",
		},
		"Dify's extracted parameters": {"x.py:928 - extra error: Dear Ann, you", "x.py:928 - extra error:***"},
		"Anthropic key":               {"x=sk-ant-api03-aaaa_bbbb-cccc1234567", "x=sk-ant-***"},
		"key after percent 20":        {"q=Bearer%20app-Zk3v9QwX7LmN2pR8sT1uVbYc", "q=Bearer%20***"},
		"key after escaped line":      {`a\napp-Zk3v9QwX7LmN2pR8sT1uVbYc`, `a\napp-***`},
		"Groq key":                    {"(gsk_abcdefghij0123456789)", "(gsk_***)"},
		"Google key":                  {"?key=AIzaSyA1234567890abcdefghijklmnopqrstuv", "?key=***"},
		"web token":                   {"t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_ghi e", "t *** e"},
		"two keys":                    {"app-Zk3v9QwX7LmN2pR8sT1uVbYc,app-Ak3v9QwX7LmN2pR8sT1uVbYc", "app-***,app-***"},
		"bearer":                      {"Authorization failed for bearer abc.def123", "Authorization failed for bearer ***"},
		"header":                      {"Authorization: Bearer abcdef123", "Authorization: ***"},
		"basic":                       {"authorization: Basic dXNlcjpwYXNz\nHost: x", "authorization: ***\nHost: x"},
		"python headers": {
			"{'Authorization': 'Bearer abcdef', 'Accept': '*/*'}",
			"{'Authorization': '***', 'Accept': '*/*'}",
		},
		"x-api-key":    {`headers["x-api-key"] = "s3cr3t value"`, `headers["x-api-key"] = "***"`},
		"url password": {"redis://:difyai123456@redis:6379/1", "redis://:***@redis:6379/1"},
		"url user and password": {
			"postgresql+psycopg2://u:p%40w@db:5432/x?y=z",
			"postgresql+psycopg2://u:***@db:5432/x?***",
		},
		"url password with slash": {"redis://:pa/ss@redis:6379/1", "redis://:***@redis:6379/1"},
		"url password with at":    {"amqp://u:p@ss@mq:1/", "amqp://u:***@mq:1/"},
		"sentinel list":           {"sentinel://:a1@h1:1;sentinel://:b2@h2:2", "sentinel://:***@h1:1;sentinel://:***@h2:2"},
		"token as user":           {"https://0123456789abcdef0123@github.com/x", "https://***@github.com/x"},
		"key=value":               {"host=db user=u password=hunter2 dbname=x", "host=db user=u password=*** dbname=x"},
		"environment":             {"DB_PASSWORD=hunter2\nX=1", "DB_PASSWORD=***\nX=1"},
		"comparison":              {"if password == 'hunter2':", "if password == '***':"},
		"json":                    {`{"api_key": "abc def", "n": 1}`, `{"api_key": "***", "n": 1}`},
		"json with escaped quote": {`{"password":"a\"b","x":1}`, `{"password":"***","x":1}`},
		"json in json":            {`"{\"password\": \"a b\", \"x\": 1}"`, `"{\"password\": \"***\", \"x\": 1}"`},
		"unclosed quote":          {`password='hunter2 and more`, `password='***`},
		"yaml":                    {"password: hunter2", "password: ***"},
		"query":                   {"/x?access_token=abc123&y=1", "/x?***"},
		"cookie":                  {"Set-Cookie: session=abc; Path=/", "Set-Cookie: ***"},
		"SQLAlchemy parameters": {
			"[SQL: INSERT ...]\n[parameters: {'email': 'a@b', 'password': 'x'}]\n(Background",
			"[SQL: INSERT ...]\n[parameters: ***]\n(Background",
		},
		"private key": {
			"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
			"-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----",
		},
		"private key, truncated":   {"-----BEGIN PRIVATE KEY-----\nMIIEabc", "-----BEGIN PRIVATE KEY-----***"},
		"password like a call":     {"password=Tr0ub4dor(3 for x, api_key=abc(def", "password=*** for x, api_key=***"},
		"password that looks safe": {"password='(abc)'", "password='***'"},
	} {
		t.Run(name, func(t *testing.T) {
			got, rules := everything.scrub(tt.text, viewText)
			assert.NotZero(t, rules)
			assert.Equal(t, tt.want, got)
			again, rules := everything.scrub(got, viewText)
			assert.Zero(t, rules, "idempotent: %q", again)
		})
	}
}

func TestScrubKeepsOtherText(t *testing.T) {
	for _, text := range []string{
		"", "GET", "POST /v1/workflows/run", "4062b193-7acf-49d8-88fa-e1cb22331307",
		"postgresql://127.0.0.1:5432/dify", "http://[::1]:4318/a@b", "https://example.com/users/a@b.com",
		"user@example.com",
		"services.app_generate_service.AppGenerateService.generate",
		"task-1234567890abcdef1234", "app-deployment-6d5f7c9b8d-x2k4z", "sk-learn-is-a-library", "web-app-1",
		"SELECT accounts.password AS accounts_password FROM accounts WHERE accounts.password = %(password_1)s AND " +
			"x.token = ? AND y.secret = $1",
		"max_tokens=4096", "gen_ai.usage.input_tokens", "password: None", "token: str", "password=self.password, x",
		"credentials = provider.fetch(a.b)", "token=self.get(a, b)", "secret=os.getenv('X')", "token = f()",
		"api_key=${env:KEY}", "bearer of bad news: a b", "NoScriptError: No matching script.",
		"2026-11-23 08:37:53.893 INFO [MainThread] [x.py:6] - hello", "password=***", "Authorization: ***",
		"redis://:***@h:1", "seq0iWEk8xoT26nPUu0MJLq5nux+AHT6k61sKZKuUbS701e/s/OojZz0JEsq1pme",
	} {
		got, rules := everything.scrub(text, viewText)
		assert.Zero(t, rules, "%q became %q", text, got)
		assert.Equal(t, text, got)
	}
}

func TestScrubUsesPatterns(t *testing.T) {
	r := NewRedactor(Settings{Secrets: true, SecretPatterns: []*regexp.Regexp{regexp.MustCompile(`ACME-\d+`)}})
	got, rules := r.scrub("a ACME-42 b app-Zk3v9QwX7LmN2pR8sT1uVbYc", viewText)
	assert.NotZero(t, rules)
	assert.Equal(t, "a *** b app-***", got)
}

func TestScrubAllocatesNothingWithoutSecrets(t *testing.T) {
	statement := "SELECT accounts.id AS accounts_id FROM accounts WHERE accounts.id = %(id_1)s AND accounts.x != ?"
	assert.Zero(t, testing.AllocsPerRun(100, func() { everything.scrub(statement, viewText) }))
}

// A hostile text must not be expensive: each of these would take minutes if a search were quadratic.
func TestScrubIsLinear(t *testing.T) {
	for _, part := range []string{
		"sk-", "://", "authorization:", "token=${", "bearer%20", "bearer", "-eyJ", "eyJ", "AIza", "[parameters: ",
		"PRIVATE KEY-----",
		"-----BEGIN PRIVATE KEY-----", "password='", `password=\"`, "password=(", "a:b@", "app-", "password==", ":",
		"=",
		"-", "$a", "'", "/*", "--", "\"", "token ", "token\t", "password '", "api key is ", "key", "「", "密码“", "v: ", "name: token\nvalue: ",
		"Command # 1 (", "$1 = '", "right syntax to use near '", "/s/", "<token ", "['token', '", "token:\n", "token=\\\n", "--pass ", "-xpass ", "|token", "token|~",
	} {
		text := strings.Repeat(part, 1<<17/len(part))
		got, _ := everything.scrub(text, viewText)
		assert.LessOrEqual(t, len(got), 3*len(text))
		for _, system := range []string{"", "mysql", "postgresql", "redis"} {
			withoutLiterals(text, system)
		}
	}
}

// checkScrub fails if a text changes the second time, or grows by more than its marks.
func checkScrub(t *testing.T, text string) {
	t.Helper()
	once, _ := everything.scrub(text, viewText)
	twice, _ := everything.scrub(once, viewText)
	assert.Equal(t, once, twice)
	assert.LessOrEqual(t, len(once), len(text)+(len(Mask)-1)*strings.Count(once, Mask))
	for _, system := range []string{"", "postgresql", "mysql", "oracle", "redis"} {
		once, _ := withoutLiterals(text, system)
		twice, _ := withoutLiterals(once, system)
		assert.Equal(t, once, twice, "%s: %q", system, strings.Clone(text))
		assert.LessOrEqual(t, len(once), len(text), "a literal is not shorter than its mark")
	}
}

// For any text, scrubbing terminates, is idempotent, and adds nothing but marks. A short text is repeated, since a
// search that is not linear hangs then.
func FuzzScrub(f *testing.F) {
	for _, seed := range []string{
		"password=app-Zk3v9QwX7LmN2pR8sT1uVbYc", "redis://:a@b:c@d", `{"token": "a\\"b"}`, "Bearer eyJhbGciOi.a.b",
		"-----BEGIN PRIVATE KEY-----[parameters: x]", "authorization: 'a' \"b\"", "secret=\\\"", "://:@",
		"token=:=>\\'x",
	} {
		f.Add(seed)
	}
	g := generator{rand.New(rand.NewPCG(7, 8))}
	secrets, _ := g.secrets(1)
	for _, seed := range append(secrets, g.harmless(1)...) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		const short, long = 16, 1 << 13
		checkScrub(t, text)
		if text != "" && len(text) <= short {
			checkScrub(t, strings.Repeat(text, long/len(text)))
		}
	})
}
