// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// strength is how surely a name announces a secret.
type strength uint8

const (
	none    strength = iota
	weak             // its value is a secret if it looks random
	numbers          // its value is a secret if it has a digit: a PIN, a one-time password
	strong           // its value is a secret unless it is code, prose or a placeholder
)

// secretNames are the words that a name ends in if it announces a secret, with _ for -, . and changes of case.
// A word that begins with a blank must not be the end of another word: pass, but not bypass.
var secretNames = []struct {
	strength strength
	words    string
}{
	{strong, "password passwd passphrase passcode secret token apikey accesskey secretkey privatekey accountkey " +
		"credential authorization cookie signature api_key access_key secret_key private_key auth_key account_key " +
		"encryption_key signing_key master_key subscription_key license_key app_key shared_key hmac_key " +
		"licence_key " + //nolint:misspell // British English
		"access_key_id secret_access_key secret_id secret_key_base client_key session_key webhook_key token_key " +
		"jsessionid phpsessid sessionid connect_sid asp_net_session_id csrf xsrf csrfmiddlewaretoken jwt bearer " +
		"auth_code authorization_code verification_code verify_code device_code recovery_code backup_code " +
		"connection_string conn_str dsn_password userpass requirepass masterauth dockerconfigjson 密码 口令 密钥 秘钥 " +
		"密匙 令牌 凭证 凭据 授权码 密碼 口令 金鑰 私钥 私鑰 秘密钥 憑證 パスワード 비밀번호 пароль Пароль senha"},
	{strong, " pwd  passwort  contraseña  mot_de_passe  pass_phrase  psk  appkey  app_secret  auth_token"},
	{numbers, " otp  pin  pin_code  captcha  totp  mfa_code  cvv 验证码 校验码"},
	{weak, " pass  sign  sig  nonce  code  state  ticket  key  auth  session  session_id  sid  creds  x_sign  签名 salt"},
}

// notSecret are the words before token, key or code that make it harmless: max_tokens, next_page_token, cache_key.
var notSecret = words("max min total input output completion prompt cached reasoning num n count used per page " +
	"next prev " +
	"previous continuation cursor sync eos bos pad unk sep cls mask stop special first last primary foreign cache " +
	"routing partition sort group index idempotency object storage redis dict unique public lock row field " +
	"column map " +
	"status exit error return http response language country currency zip postal source area line byte op air " +
	"new_line estimated remaining average audio text image tool thinking unexpected")

func words(list string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

// namesByEnd has secretNames by their last byte.
var namesByEnd = func() (by [256][]secretName) {
	for _, row := range secretNames {
		for word := range strings.SplitSeq(row.words, " ") {
			if word == "" {
				continue
			}
			n := secretName{text: word, strength: row.strength, whole: strings.Contains(row.words, " "+word) &&
				row.words[0] == ' '}
			by[word[len(word)-1]] = append(by[word[len(word)-1]], n)
		}
	}
	return by
}()

type secretName struct {
	text     string
	strength strength
	whole    bool
}

// announces returns how surely a name announces a secret.
func announces(name string) strength {
	if !mayAnnounce(name) {
		return none
	}
	var buffer [longestName]byte
	n, plural := normalize(buffer[:], name)
	if len(n) < 2 {
		return none
	}
	best, length := none, 0
	for _, s := range namesByEnd[n[len(n)-1]] {
		if len(s.text) <= length || !endsIn(n, s.text) {
			continue
		}
		at := len(n) - len(s.text)
		if s.whole && at > 0 && n[at-1] != '_' && n[at-1] < 0x80 {
			continue
		}
		best, length = s.strength, len(s.text)
	}
	if best == none {
		return none
	}
	before := strings.Trim(string(n[:len(n)-length]), "_")
	if cut := strings.LastIndexByte(before, '_'); cut >= 0 {
		before = before[cut+1:]
	}
	head := string(n[len(n)-length:])
	if notSecret[before] && (head == "token" || head == "key" || head == "code" || head == "sign" ||
		head == "state") {
		return none
	}
	if plural && head == "token" {
		return min(best, weak)
	}
	return best
}

// mayAnnounce reports whether the last two bytes of a name may be those of a word of secretNames. It excludes nearly
// all names.
func mayAnnounce(name string) bool {
	if len(name) < 2 {
		return false
	}
	before, last := name[len(name)-2], name[len(name)-1]
	switch {
	case isLower(last):
		return ends[before|0x20][last]
	case isUpper(last) && isUpper(before):
		return ends[before|0x20][last|0x20]
	}
	return true
}

// ends has the last two bytes of secretNames, of meaningless and of plurals.
var ends = func() (set [256][256]bool) {
	for c := range set {
		set[c]['s'] = true
	}
	for _, words := range namesByEnd {
		for _, word := range words {
			set[word.text[len(word.text)-2]|0x20][word.text[len(word.text)-1]] = true
		}
	}
	for _, suffixes := range meaningless {
		for _, suffix := range suffixes {
			set[suffix[len(suffix)-2]][suffix[len(suffix)-1]] = true
		}
	}
	return set
}()

const longestName = 48

// meaningless are the suffixes of a name that do not change its meaning, by their last byte.
var meaningless = func() (by [256][]string) {
	for _, suffix := range [...]string{
		"_value", "_val", "_str", "_string", "_plain", "_raw", "_header", "_env", "_new", "_old", "_hash", "_text",
		"_confirm", "_confirmation", "为", "是", "”", "」", "】",
	} {
		last := suffix[len(suffix)-1]
		by[last] = append(by[last], suffix)
	}
	return by
}()

// normalize writes the last bytes of a name in lower case, with _ between its words, and without what does not change
// its meaning: a number, a plural, value.
func normalize(buffer []byte, name string) (_ []byte, plural bool) {
	if len(name) > longestName/2 {
		name = name[len(name)-longestName/2:]
	}
	n := 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			if i > 0 && (isLower(name[i-1]) || (isUpper(name[i-1]) && i+1 < len(name) && isLower(name[i+1]))) {
				buffer[n] = '_'
				n++
			}
			c |= 0x20
		case !isAlnum(c) && c < 0x80:
			c = '_'
		}
		buffer[n] = c
		n++
	}
	b := buffer[:n]
	for again := true; again; {
		b, again = trimEnd(b), false
		for _, suffix := range meaningless[b[len(b)-1]] {
			if len(b) > len(suffix) && endsIn(b, suffix) {
				b, again = b[:len(b)-len(suffix)], true
				break
			}
		}
	}
	if len(b) > 3 && b[len(b)-1] == 's' && b[len(b)-2] != 's' && b[len(b)-2] < 0x80 {
		if !endsIn(b, "pass") {
			return b[:len(b)-1], true
		}
	}
	return b, false
}

// endsIn compares without an allocation.
func endsIn(b []byte, suffix string) bool {
	return len(b) >= len(suffix) && string(b[len(b)-len(suffix):]) == suffix
}

// trimEnd removes _, digits and a version such as v2.
func trimEnd(b []byte) []byte {
	end := len(b)
	for end > 1 && (b[end-1] == '_' || isDigit(b[end-1])) {
		end--
	}
	if end > 2 && end < len(b) && b[end-1] == 'v' && b[end-2] == '_' {
		return trimEnd(b[:end-2])
	}
	return b[:end]
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
