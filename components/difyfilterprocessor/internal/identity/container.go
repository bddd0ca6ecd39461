// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// AttrComposeService is the label with the name of a compose service, as an attribute.
const AttrComposeService = "com.docker.compose.service"

// RoleByContainer returns the role of a service of Dify's compose file, by its label or by the name of the container.
func RoleByContainer(service, name string) string {
	if service == "" {
		service = ComposeService(name)
	}
	switch service {
	case "web":
		return difysemconv.RoleWeb
	case "nginx":
		return difysemconv.RoleNginx
	case "sandbox":
		return difysemconv.RoleSandbox
	case "ssrf_proxy":
		return difysemconv.RoleSSRFProxy
	}
	return roleByName(service)
}

// ComposeService returns the service of <project>-<service>-<number>, the form in which docker compose names
// containers. The names of Dify's services have no dash. Any other name is returned unchanged.
func ComposeService(name string) string {
	at := strings.LastIndexByte(name, '-')
	if at < 0 || at == len(name)-1 || strings.Trim(name[at+1:], "0123456789") != "" {
		return name
	}
	return name[strings.LastIndexByte(name[:at], '-')+1 : at]
}
