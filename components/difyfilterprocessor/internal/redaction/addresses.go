// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// addresses finds logins, codes and queries in URLs.
type addresses struct{ *scan }

// userInfo cuts the password of the URL whose authority begins here, or a user name that looks like a token. A
// password that is not encoded as it should be may contain a slash; what precedes the slash is then not a port.
func (s addresses) userInfo(at int) int {
	const long = 512 // longer than any login
	rest := s.text[at:min(len(s.text), at+long)]
	if n := strings.IndexAny(rest, " \t\r\n\"'<>`"); n >= 0 {
		rest = rest[:n]
	}
	if n := strings.Index(rest, "://"); n >= 0 {
		rest = rest[:n] // of the next URL
	}
	authority := rest
	if n := strings.IndexAny(rest, "/?#\\"); n >= 0 {
		authority = rest[:n]
	}
	sign := strings.LastIndexByte(authority, '@')
	colon := strings.IndexByte(rest, ':')
	switch {
	case colon >= 0 && colon < len(authority) && rest[0] != '[' && !isPort(rest[colon+1:len(authority)]):
		// After an @ in a password and a slash, the last @ before a host is the end.
		if last := lastUserInfo(rest); last > sign {
			sign = last
		}
	case sign < 0:
		return at
	}
	switch {
	case sign < 0:
		return at
	case colon >= 0 && colon < sign:
		password := rest[colon+1 : sign]
		if password == "" || isPlaceholder(password) || password == Mask {
			return at + sign
		}
		return s.cut(at+colon+1, at+sign, ruleURL)
	case sign >= longUser && !isPlaceholder(rest[:sign]) && (hasDigit(rest[:sign]) || sign >= 2*longUser):
		return s.cut(at, at+sign, ruleURL)
	}
	return at
}

// longUser is the minimum length of a user name without a password that counts as a token.
const longUser = 16

// lastUserInfo returns the position of the last @ that a host follows.
func lastUserInfo(rest string) int {
	last := strings.LastIndexByte(rest, '@')
	if last < 0 || last+1 == len(rest) || !isAlnum(rest[last+1]) && rest[last+1] != '[' {
		return -1
	}
	if query := strings.IndexByte(rest, '?'); query >= 0 && query < last {
		return strings.LastIndexByte(rest[:query], '@')
	}
	return last
}

func isPort(s string) bool { return strings.Trim(s, "0123456789") == "" }

// tcpAddress cuts the password of an address of Go's MySQL driver: user:x@tcp(host)/name.
func (s addresses) tcpAddress(at int) int {
	after := s.text[at+1:]
	if !strings.HasPrefix(after, "tcp(") && !strings.HasPrefix(after, "unix(") && !strings.HasPrefix(after, "tcp6(") {
		return at
	}
	begin := at
	for begin > 0 && at-begin < 128 && s.text[begin-1] > ' ' && strings.IndexByte("\"'`", s.text[begin-1]) < 0 {
		begin--
	}
	colon := strings.IndexByte(s.text[begin:at], ':')
	if colon < 0 || s.text[begin+colon+1:at] == Mask {
		return at
	}
	s.cut(begin+colon+1, at, ruleURL)
	return at + 1
}

// capabilityPaths are the paths of URLs that anyone may use who knows the code after them.
var capabilityPaths = []string{
	"/mcp/server/", "/triggers/webhook/", "/triggers/webhook-debug/", "/triggers/plugin/", "/e/", "/chat/",
	"/completion/", "/workflow/", "/chatbot/", "/agent/", "/form/", "/human_input/", "/activate/", "/reset-password/",
	"/open-apis/bot/v2/hook/", "/open-apis/bot/hook/", "/api/webhooks/", "/webhookb2/", "/IncomingWebhook/",
	"/services/", "/workflows/", "/robot/send/", "/hooks/catch/", "/hooks/", "/webhook/", "/webhook-test/", "/with/key/",
	"/bot", "/file/bot",
	"/invite/", "/share/", "/s/", "/unsubscribe/", "/triggers/",
}

// pathsByByte returns capabilityPaths and those of an operator by the byte after their first slash.
func pathsByByte(more []string) (paths [256][]string) {
	for _, list := range [...][]string{capabilityPaths, more} {
		for _, path := range list {
			if len(path) > 1 {
				paths[path[1]] = append(paths[path[1]], path)
			}
		}
	}
	return paths
}

// capability cuts the code after the path of a capability URL.
func (s addresses) capability(at int) int {
	if at+1 == len(s.text) {
		return at
	}
	for _, path := range s.paths[s.text[at+1]] {
		if !strings.HasPrefix(s.text[at:], path) {
			continue
		}
		if from, to := code(s.text, at+len(path), path); to > from && s.inPath(at) {
			return s.cut(from, to, ruleURL)
		}
	}
	return at
}

// inPath reports whether a slash belongs to a path rather than to Base64.
func (s addresses) inPath(at int) bool {
	const longest = 256
	begin := at
	for begin > 0 && s.text[begin-1] > ' ' && strings.IndexByte("\"'`=<>()[]{},;", s.text[begin-1]) < 0 {
		begin--
		if at-begin == longest {
			return true
		}
	}
	first, _, _ := strings.Cut(s.text[begin:], "/")
	return strings.ContainsAny(first, ".:%\\") || !hasDigit(first) && !hasMixedCase(first)
}

// code returns where the code after a path begins and ends, or an empty range.
func code(text string, from int, path string) (begin, end int) {
	end = alphabetEnd(text, from, base64url)
	switch path {
	case "/services/", "/workflows/", "/api/webhooks/", "/webhookb2/", "/hooks/catch/", "/triggers/":
		for end = from; end < len(text) && (inAlphabet[text[end]]&(1<<base64url) != 0 ||
			strings.IndexByte("/@+", text[end]) >= 0); {
			end++
		}
	case "/bot", "/file/bot": // Telegram's /bot<number>:<token>/
		colon := alphabetEnd(text, from, alnum)
		if colon == from || colon == len(text) || text[colon] != ':' || !isPort(text[from:colon]) {
			return 0, 0
		}
		return colon + 1, alphabetEnd(text, colon+1, base64url)
	}
	if !hasCode(text[from:end]) {
		return 0, 0
	}
	return from, end
}

// hasCode reports whether a path has a part that looks random. Names and UUIDs do not.
func hasCode(path string) bool {
	const shortest = 12
	for part := range strings.SplitSeq(path, "/") {
		if len(part) < shortest || isUUID(part) {
			continue
		}
		if looksRandom(part) || (len(part) >= 16 && hasMixedCase(part) && !strings.ContainsAny(part, "-_")) {
			return true
		}
	}
	return false
}

// pagingParameters select a page of a list. A query of them alone is kept in messages.
var pagingParameters = words("page page_size pagesize per_page limit offset size order order_by sort sort_by " +
	"first last from to start end count max_results v version lang locale format pretty timeout retries " +
	"page_number pageno skip top asc desc is_desc last_id")

// query cuts the query of a path or a URL.
func (s addresses) query(at int) int {
	const (
		before  = " \t\r\n\"'`()<>[]{},"
		ends    = " \t\r\n\"`<>\\" // a query may contain the other characters, such as commas and quotes of a user
		longest = 4 << 10
	)
	begin := max(0, at-longest)
	if n := len(s.cuts); n > 0 {
		begin = max(begin, s.cuts[n-1].to)
	}
	begin = max(begin, s.searched)
	s.searched = at + 1
	begin += strings.LastIndexAny(s.text[begin:at], before) + 1
	if begin == at || (s.text[begin] != '/' && !strings.Contains(s.text[begin:at], "://")) {
		return at
	}
	to := len(s.text)
	if n := strings.IndexAny(s.text[at:], ends); n >= 0 {
		to = at + n
	}
	if strings.HasSuffix(s.text[:begin], "Request to URL ") { // Dify's; the query may have blanks
		if n := strings.Index(s.text[at:min(len(s.text), at+longest)], " failed on attempt"); n >= 0 {
			to = at + n
		}
	}
	if n := strings.Index(s.text[at:to], "-----BEGIN"); n >= 0 {
		to = at + n // a private key, which has blanks
	}
	if isPaging(s.text[at+1 : to]) {
		return at
	}
	return s.cut(at+1, to, ruleQuery)
}

func isPaging(query string) bool {
	const longest = 256
	query = strings.TrimRight(query, ".,;:')]}")
	if len(query) > longest {
		return false
	}
	for parameter := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if !pagingParameters[strings.ToLower(name)] || len(value) > 20 && !isUUID(value) ||
			!isIdentifier(strings.ReplaceAll(value, "-", "")) {
			return false
		}
	}
	return true
}
