// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The corpora are generated from grammars: each form of an announcement with each name and each kind of value, each
// shape in each surrounding. What can't be known is listed in docs/redaction.md and is not part of them.

type generator struct{ *rand.Rand }

func (g generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g generator) text(letters string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[g.IntN(len(letters))]
	}
	return string(b)
}

const (
	lowerLetters = "abcdefghijklmnopqrstuvwxyz"
	upperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits       = "0123456789"
	letters      = lowerLetters + upperLetters + digits
)

// mark returns a random text that no output may contain.
func (g generator) mark() string { return "Q" + g.text(letters, 6) + "7x" + g.text(letters, 9) + "K2" }

// announcements are the forms of cases/redaction in which a name announces a value. %[1]s is the name, %[2]s the value.
var announcementForms = []string{
	`%s=%s`, `%s: %s`, `"%s": "%s"`, `{'%s': '%s', 'n': 1}`, `{"a":1,"%s":"%s"}`, `"{\"%s\":\"%s\"}"`,
	`{\"a\": \"{\\\"%s\\\": \\\"%s\\\"}\"}`, `x.%s = '%s'`, `%s := "%s"`, `%s => %s`, `headers["%s"] = "%s"`,
	`[(b'%s', b'%s'), (b'accept', b'*/*')]`, `('%s', '%s')`, `("%s","%s")`, `{'%s': b'%s'}`, `%s=u'%s'`, `%s=f"%s"`,
	`{"name":"%s","value":"%s"}`, `{'variable': '%s', 'type': 'secret', 'value': '%s'}`, `{"key": "%s", "value": "%s"}`,
	`{"id": "1", "name": "%s", "value_type": "secret", "value": "%s"}`,
	`<%[1]s>%[2]s</%[1]s>`, `&quot;%s&quot;: &quot;%s&quot;`, `%%7B%%22%s%%22%%3A%%22%s%%22%%7D`,
	`{\u0022%s\u0022:\u0022%s\u0022}`,
	`%s\u003d%s\u0026x=1`, "{\"%s\":\n  \"%s\"}", "%s:\n  %s\nother: 1", `cmd --%s %s --verbose`, `['run', '--%s', '%s']`,
	"Content-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n--b", `%s：%s`, `%s＝%s`, `export %s="%s"`, `%s=%s&y=1`,
	`%s=%s, host=db`, `%s=%s; Path=/`, `(%s=%s)`, `[%s=%s]`, `<a %s="%s"/>`, `(%s: %s)`,
	`%%2522%s%%2522%%253A%%2522%s%%2522`,
	"\x1b[31m%s\x1b[0m=%s\x1b[0m", `OrderedDict([('%s', '%s')])`, `failed: %s=%s.`,
}

// plainForms announce a value without signs of its own.
var plainForms = []string{
	`["%s","%s"]`, `[[b'%s', b'%s'], [b'accept', b'*/*']]`, "- name: %s\n  value: %s", "- name: %s\n  value: \"%s\"",
	`<property name="%s">%s</property>`, `<entry key="%s">%s</entry>`, `<%s value="%s"/>`, `{"k":"%s","v":"%s"}`,
	"%s: >-\n  %s\n", "%s=\\\n  %s", "%s:\n\n%s\n", "%s:\n- %s\n", `“%s”：“%s”`, `%s（%s）`, `\033[1m%s\033[0m=%s`,
	`{%s}=%s`, `%s[]=%s`, `%s?: %s`, `%%%s%%=%s`, `map[%s:%s user:x]`, `Header{"%s": []string{"%s"}}`, `data['%s'] = '%s'`,
	`Credentials(%s='%s', base='x')`, `MultiDict([('%s', '%s')])`, `{"Key":"%s","Value":"%s"}`, `<ns:%[1]s a="b">%[2]s</ns:%[1]s>`,
	`-H '%s: %s'`, `docker run -e %s=%s image`, `&amp;quot;%s&amp;quot;:&amp;quot;%s&amp;quot;`, `%s%%253D%s`, `%s\x3d%s`,
	`{\u0027%s\u0027: \u0027%s\u0027}`,
}

// phraseForms announce a value without a sign, in sentences, tables and commands.
var phraseForms = []string{
	"the %s %s is invalid", "invalid %s '%s'", "using %s %s", "%s is %s", "%s was '%s'", "| %s | %s |", "%s\t%s", "%s -> %s",
	"%s→%s", "%s (%s)", "aws configure set %s %s", "machine h login bob %s %s", "login --with-%s <<< %s",
}

var phraseNames = []string{
	"token", "password", "api key", "api_key", "access_token", "secret_access_key", "API key", "Password", "access key",
}

var announcingNames = []string{
	"password", "passwd", "api_key", "apikey", "api-key", "x-api-key", "secret", "client_secret", "access_token",
	"refresh_token", "token", "credentials", "private_key", "app_key", "access_key_id", "secret_id", "jwt",
	"passcode",
	"passwords", "api_key_2", "token_value", "DB_PASSWORD", "apiKey", "secretAccessKey", "signature", "JSESSIONID",
	"clientSecret", "OPENAI_API_KEY", "auth_token", "session_key", "webhook_secret", "encryption_key",
}

var chineseForms = []string{
	`密码：%s`, `密钥=%s`, `令牌: %s`, `密码是%s`, `用户密码为%s`, `{"密码": "%s"}`, `口令：%s，用户`,
	`密碼：%s`, `密码为：%s`, `【密码】%s`, `密码「%s」`, `密码“%s”`, `密钥（%s）`, `私钥：%s`, `パスワード：%s`, `비밀번호: %s`, `пароль: %s`,
}

// authorizationForms announce without a name of their own.
var authorizationForms = []string{
	`Authorization: Bearer %s`, `Authorization: Basic %s`, `authorization: %s`, `Bearer %s`, `Bearer Bearer %s`,
	`token: Authorization: Basic %s`, `credentials: api_key: %s`, `'Authorization': 'Token %s'`, `Bearer a:%s`,
	`[(b'authorization', b'Bearer %s')]`, `Proxy-Authorization: Digest username="u", response="%s"`, `Bearer%%20%s`,
	`Cookie: session=%s; x=1`, `Set-Cookie: sid=%s; Path=/`, `redis://:%s@redis:6379/1`, `postgresql://u:%s@db:5432/x`,
	`redis://:p@ss/%s@h:1`, `redis:\/\/:%s@h`, `postgresql%%3A%%2F%%2Fu%%3A%s%%40h`, `u:%s@tcp(h)/db`,
	`curl -u a:%s http://h`, `mysql -uroot -p%s db`, `redis-cli -a %s ping`, `[SQL: x]\n[parameters: {'a': '%s'}]`,
	"-----BEGIN PGP PRIVATE KEY BLOCK-----\n%s\n-----END PGP PRIVATE KEY BLOCK-----",
	"AAAAB3NzaC1yc2EAAAADAQABAAABAQC\n%s\n-----END RSA PRIVATE KEY-----",
	`POST /mcp/server/%s/mcp`, `https://h/triggers/webhook/%s`, `https://h/e/%s/x`,
	`https://hooks.slack.com/services/T0/B0/%s`,
	`https://open.feishu.cn/open-apis/bot/v2/hook/%s`, `https://discord.com/api/webhooks/123/%s`,
	`https://api.telegram.org/bot123456:%s/x`, `/files/x/file-preview?timestamp=1&nonce=a&sign=%s`,
	`DETAIL:  Failing row contains (1, first` + "\n" + `second %s, x).`, `Key (e)=(a` + "\n" + `%s) already exists.`,
	`Duplicate entry 'a` + "\n" + `%s' for key 'x'`, `键(e)=(%s)已经存在`, `invalid literal for int() with base 10: '%s'`,
	`CONTEXT:  JSON data, line 1: {"a": %s`, `QUERY:  SELECT '%s'`, `invalid input syntax for type integer: "%s"`,
	`messages=['%s']`, `args={'inputs': {'q': '%s'}}`, `user_input='%s'`, `"question": "%s"`,
	`OrderedDict([('query', '%s')])`,
	`Bearer "%s"`, `Bearer+%s`, `keytool -storepass %s`, `rclone --sftp-pass %s`, `https://h/webhook-test/%s`,
	`date/time field value out of range: "%s"`, `CONTEXT:  unnamed portal parameter $1 = '%s'`, `STATEMENT:  UPDATE t SET a = '%s'`,
	`Command # 1 (SET key %s) of pipeline caused error`, `check the manual for the right syntax to use near '%s' at line 1`,
	`无效的类型 integer 输入语法: "%s"`, `SecretVariable(value_type=<SegmentType.SECRET: 'secret'>, value='%s', id='1')`,
	`KeyError: 'what about %s'`, `GET /v1/x?q=%s HTTP/1.1`,
}

// values returns a value that contains the mark, with the signs that passwords have.
func (g generator) value(mark string, bare bool) string {
	if bare {
		return g.pick("", "", "", "(", "{", "[", "${", "p-", "$", "#") + mark +
			g.pick("", "", "!", "=", "==", "a#b", "/x", "+y")
	}
	return g.pick("", "", "a b ", "(", ":", "x,", "<", "a;") + mark + g.pick("", " b", ",c", "<d")
}

// secrets returns texts with secrets, each with the mark that must go.
func (g generator) secrets(n int) (texts, marks []string) {
	add := func(text, mark string) { texts, marks = append(texts, text), append(marks, mark) }
	for range n {
		for _, form := range announcementForms {
			mark := g.mark()
			quoted := strings.ContainsAny(form[strings.LastIndex(form, "%"):], `'"`) && !strings.Contains(form, `\`)
			value := mark
			if quoted && !strings.ContainsAny(form, "<&%7") {
				value = g.value(mark, false)
			} else if form == `%s=%s` || form == `%s: %s` {
				value = g.value(mark, true)
			}
			name := announcingNames[g.IntN(len(announcingNames))]
			if strings.Contains(form, "--%s") {
				name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
			}
			add(fmt.Sprintf(form, name, value), mark)
		}
		for _, form := range plainForms {
			mark := g.mark()
			add(fmt.Sprintf(form, announcingNames[g.IntN(len(announcingNames))], mark), mark)
		}
		for _, form := range phraseForms {
			mark := g.mark()
			add(fmt.Sprintf(form, phraseNames[g.IntN(len(phraseNames))], mark), mark)
		}
		for _, form := range append(chineseForms, authorizationForms...) {
			mark := g.mark()
			if strings.Contains(form, "Basic %s") {
				mark = "dXNlcjp" + g.text(letters, 13)
			}
			add(fmt.Sprintf(form, mark), mark)
		}
		for i := range shapeTable {
			key := g.key(&shapeTable[i])
			text := shapeTable[i].prefix + key
			if shapeTable[i].before > 0 {
				text = key + shapeTable[i].prefix
			}
			add(g.pick("", "key ", "(", `"`, "<", ",", `\u0022`, `\n`, "%22", "：", "\x1b[31m", "=")+text+
				g.pick("", " x", ")", ",", "&", "<", "]", "}", `"`, `\n`, "；"), key)
		}
	}
	return texts, marks
}

// key returns a key of a shape without its prefix.
func (g generator) key(s *shape) string {
	if s.before > 0 {
		return g.text(letters, s.before)
	}
	n := s.least + 4
	if s.random {
		n = max(n, 24)
	}
	if s.most > 0 {
		n = min(n, s.most)
	}
	switch s.alphabet {
	case hexDigits:
		return g.text("0123456789abcdef", n)
	case upperDigits, upperDash:
		return g.text(upperLetters[:20]+digits, n)
	}
	return g.text(letters, n)
}

// harmless are forms of texts that must stay. %s is a random word, host or number.
var harmlessForms = []string{
	"Unexpected token: <", "Unexpected token: %s",
	"SyntaxError: Unexpected token '<', \"<!doctype \"... is not valid JSON",
	"password: field required", "Bearer authentication required", "next_page_token=%s", "api_key=api_key",
	"self.password = password", "credentials=credentials", "    client = Client(api_key=api_key, timeout=%d)",
	"def f(password: str, token: Token, api_key: Optional[str] = None)", `content: "text/html"`, "input: [int, str]",
	"GET /v1/items?page=%d&limit=20", "LINE 1: SELECT a FROM %s WHERE", "host app-%s0001 is up",
	"sk-2024-01-01-batch-%s",
	`File "/opt/app-%s/run.py", line %d, in main`, "max_tokens=%d", "total_tokens: %d", "status code: %d", "exit code: %d",
	"state: running", "session started in %dms", "key: workflow_run", "the token is invalid",
	"token expired at 12:00",
	"Invalid password for user %s", "password authentication failed for user \"%s\"", "missing credentials for %s",
	"the api_key was not provided", "secret not found: %s", "auth: disabled", "ticket ABC-%d closed",
	"https://example.com/docs/%s#section", "http://plugin_daemon:5002/plugin/dispatch", "POST /v1/chat/completions",
	"GET /chat/completions", "GET /workflow/4062b193-7acf-49d8-88fa-e1cb22331307", "redis://redis:6379/%d",
	"postgresql://db:5432/dify", "user %s logged in",
	"Task x[4062b193-7acf-49d8-88fa-e1cb22331307] succeeded in 0.2s",
	"result: ok", "response: 200", "text: hello", "SELECT a.password FROM a WHERE a.password = %%(password_1)s",
	"api_key=${API_KEY}", "token={{ token }}", "Authorization: required", "cookie: none", "password=None",
	"token=null",
	"credentials = self.provider.get_credentials(%s)", "secret=os.environ['SECRET']",
	"dify-plugin-daemon:0.%d.0-local",
	"http 404 for %s: not found", "worker-%d lost", "2026-11-23 08:37:53.893 INFO [MainThread] [x.py:%d] - hello",
	"commit 8dc00ba3c6f1a7d5e4b2908f6e5d4c3b2a190807", "trace_id=0af7651916cd43dd8448eb211c80319c", "sha256:%s",
	"langgenius/openai:0.2.%d", "Basic auth is off", "basic usage of %s", "code=%d", "pin to version %d",
	"the key takeaway is %s", "auth method: oauth2", "sign in as %s", "nonce already used", "pass: %d of %d",
	"Failed to detach context", "max retries exceeded with url: /v1/x", "no such column: %s", "密码不能为空", "令牌已过期",
	"<password></password>", "<token>***</token>", "password=***", "Authorization: Bearer ***", "token_count: %d",
	"token limit of %d", "unexpected keyword argument 'api_key'", "KeyError: 'api_key'",
	"['user', 'password', 'email']",
	"columns: id, password, salt", "missing required arguments: 'api_key', 'secret'", "time_to_first_token: 0.%d",
	"app-deployment-6d5f7c9b8d-x2k4z", "task-1234567890abcdef1234", "web-app-%d", "dataset-%s-daily",
	"sk-learn-is-a-library",
	"token bucket %d of %d", "token %d of %d", "the token '%s' was not found", "next token prediction", "tokens per second: %d",
	"cache key workflow:4062b193-7acf-49d8-88fa-e1cb22331307", "key pair %s", "password manager v%d", "password hash updated",
	"password -> required", "| password | required |", "token => value", "Password (optional)", "api key id %d", "keyboard: %s",
	"crossword: %s", "access key rotation scheduled 2026-11-23", "Token(type='NAME')", "login with password", "wrong password %s",
	"GET /v1/messages?limit=20&last_id=4062b193-7acf-49d8-88fa-e1cb22331307", "密码：必填", "密码为空", "令牌是必需的", "密码（必填）",
	"用户名或密码错误：请重试", "export API_KEY=your-api-key-here", "password=$PASSWORD", "--password-stdin", "--token-file /%s",
	"usage: x [--password PASSWORD] [--token TOKEN]", "seq0iWEk8xoT26nPUu0MJLq5nux+AHT6/s/OojZz0JEsq1pme", "TOKEN=$TOKEN",
	"chatcmpl-9aB3cD4eF5gH6iJ7kL8mN9oP0qR1s", "request id req_011CSHoEeqs5C35K2UUqR7Fy", "password\n  Field required",
	"token:\nnext line of text", "Authorization:\n\nnothing", "secretKeyRef: {name: x, key: password}", "tokenUrl: https://x.com/oauth/token",
	"SQL syntax error near '%s'", "value out of range", "the %s key of %s", "Command # 1 of 2",
}

func (g generator) harmless(n int) []string {
	var texts []string
	for range n {
		for _, form := range harmlessForms {
			var args []any
			for i := 0; i+1 < len(form); i++ {
				switch form[i : i+2] {
				case "%s":
					args = append(args, g.text(lowerLetters, 4+g.IntN(8)))
				case "%d":
					args = append(args, 10+g.IntN(500))
				case "%%":
					i++
				}
			}
			texts = append(texts, fmt.Sprintf(form, args...))
		}
	}
	return texts
}

func TestCorpora(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	texts, marks := g.secrets(4)
	var leaks []string
	for i, text := range texts {
		clean, _ := everything.scrub(text, viewText)
		if strings.Contains(clean, marks[i]) {
			leaks = append(leaks, fmt.Sprintf("%q became %q", text, clean))
		}
		again, rules := everything.scrub(clean, viewText)
		assert.Zero(t, rules, "%q became %q, then %q", text, clean, again)
	}
	kept := g.harmless(4)
	var destroyed []string
	for _, text := range kept {
		if clean, rules := everything.scrub(text, viewText); rules != 0 {
			destroyed = append(destroyed, fmt.Sprintf("%q became %q", text, clean))
		}
	}
	t.Log(strings.Join(leaks, "\n"))
	t.Logf("%d secrets, %d left; %d harmless texts, %d changed", len(texts), len(leaks), len(kept), len(destroyed))
	assert.GreaterOrEqual(t, len(texts), 500)
	assert.GreaterOrEqual(t, len(kept), 300)
	assert.LessOrEqual(t, len(leaks)*100, len(texts), strings.Join(leaks, "\n"))
	assert.LessOrEqual(t, len(destroyed)*50, len(kept), strings.Join(destroyed, "\n"))
}
