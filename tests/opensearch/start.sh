#!/usr/bin/env bash
# A real single-node OpenSearch for the tests.
#
#   start.sh install                  unpacks the server and its security plugin once (tests/setup.sh does it)
#   start.sh run PORT DIR [-E...]     runs it in the foreground; config, data and logs are in DIR. PORT 0 selects a free
#                                     one and writes it to DIR/logs/http.ports. SIGTERM stops it. Not as root.
#   start.sh run-secure PORT DIR ...  the same with TLS, users and roles: admin with password admin, and DIR/config/ca.pem.
#                                     admin.pem and admin.key in the same folder have all permissions without a password.
#
# Environment: OTELCOL_TEST_CACHE  where the server is unpacked       (/var/tmp/otelcol-dify-tests-UID)
#              OTELCOL_TEST_JAVA_HOME  a JDK or JRE of version 21 or newer  (searched for)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<opensearch.version>\(.*\)</.*:\1:p' "$here/pom.xml")
# Not in the repository: if the tests run as root, another user runs the server, and may have no access to root's clone.
cache=${OTELCOL_TEST_CACHE:-/var/tmp/otelcol-dify-tests-$(id -u)}
home=$cache/opensearch-$version
secure_home=$home-secure # a separate tree, since an installed plugin is always loaded
secure=0

die() {
  echo "tests/opensearch/start.sh: $*" >&2
  exit 1
}

# Prints the first Java home that is new enough. The machine's default may be older.
find_java() {
  local dir major
  for dir in "${OTELCOL_TEST_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/* "$cache/jre"; do
    [ -x "$dir/bin/java" ] && [ -r "$dir/release" ] || continue
    major=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$dir/release")
    [ "${major:-0}" -ge 21 ] || continue
    echo "$dir"
    return
  done
  return 1
}

java_home() {
  find_java || die "no Java 21 or newer found: install openjdk-21-jre-headless, or set OTELCOL_TEST_JAVA_HOME"
}

install() {
  (umask 022 && mkdir -p "$cache")
  [ -O "$cache" ] || die "$cache belongs to another user: set OTELCOL_TEST_CACHE to a folder of yours"
  exec 9>"$cache/.lock"
  flock 9 # several test runs may do this at the same time
  [ -f "$home/.complete" ] || { unpack && touch "$home/.complete"; }
  [ -f "$secure_home/.complete" ] || unpack_security
  # A trimmed runtime without locale data can't create the Thai analyzer, and then no index at all.
  if ! "$(java_home)/bin/java" -XshowSettings:locale -version 2>&1 | grep -w th >/dev/null; then # not -q: java would see a broken pipe
    rm -rf "$home/modules/analysis-common" "$secure_home/modules/analysis-common"
  fi
}

unpack() { # MAVEN-OPTION...
  command -v mvn >/dev/null || die "mvn not found: install maven"
  (umask 022 && mvn -B -q -Dstyle.color=never -f "$here/pom.xml" -Ddist.dir="$cache" "$@" prepare-package) ||
    die "Maven could not fetch OpenSearch $version: see its messages above"
}

# Maven only has the plugin for an older server. There it lacks a module; with this server it works.
unpack_security() {
  local plugin=$cache/security-$version
  rm -rf "$secure_home" "$plugin"
  unpack -Psecurity
  sed -i "s/^opensearch.version=.*/opensearch.version=$version/" "$plugin/plugin-descriptor.properties"
  cp -al "$home" "$secure_home"
  rm -f "$secure_home/.complete"
  mkdir -p "$secure_home/plugins"
  mv "$plugin" "$secure_home/plugins/opensearch-security"
  chmod -R go+rX "$secure_home/plugins"
  touch "$secure_home/.complete"
}

configure() { # PORT DIR
  mkdir -p "$2"/{config,data,logs,tmp}
  rm -f "$2/logs/http.ports"
  cat >"$2/config/opensearch.yml" <<YML
cluster.name: otelcol-dify-tests
node.name: one
discovery.type: single-node
network.host: 127.0.0.1
http.port: $1
transport.port: 0
path.data: $2/data
path.logs: $2/logs
node.portsfile: true
# A developer's nearly full disk must not make indices read-only.
cluster.routing.allocation.disk.threshold_enabled: false
YML
  cat >"$2/config/log4j2.properties" <<'LOG'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
LOG
}

configure_security() { # DIR
  cat >>"$1/config/opensearch.yml" <<'YML'
plugins.security.ssl.http.enabled: true
plugins.security.ssl.http.pemcert_filepath: node.pem
plugins.security.ssl.http.pemkey_filepath: node.key
plugins.security.ssl.http.pemtrustedcas_filepath: ca.pem
plugins.security.ssl.transport.pemcert_filepath: node.pem
plugins.security.ssl.transport.pemkey_filepath: node.key
plugins.security.ssl.transport.pemtrustedcas_filepath: ca.pem
plugins.security.ssl.transport.enforce_hostname_verification: false
plugins.security.nodes_dn: ["CN=node"]
plugins.security.authcz.admin_dn: ["CN=admin"]
plugins.security.restapi.roles_enabled: [all_access]
plugins.security.allow_default_init_securityindex: true
plugins.security.password.hashing.bcrypt.rounds: 4 # for users that a test creates: repeatedly refused logins must not use up the node's CPU
YML
  [ -d "$1/config/opensearch-security" ] || cp -r "$home/plugins/opensearch-security/config" "$1/config/opensearch-security"
  [ ! -f "$1/config/ca.pem" ] || return 0 # a restart keeps them
  command -v openssl >/dev/null || die "openssl not found: install openssl"
  cd "$1/config"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=otelcol-dify-tests -keyout ca.key -out ca.pem 2>/dev/null
  certificate node
  certificate admin
}

certificate() { # NAME: a key and a certificate for 127.0.0.1, signed by the CA of this folder
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
    -extfile <(echo subjectAltName=IP:127.0.0.1) -out "$1.pem" 2>/dev/null
  rm "$1.csr"
}

run() { # PORT DIR [-E...]
  [ "$(id -u)" != 0 ] || die "OpenSearch refuses to run as root"
  [ -f "$home/.complete" ] || die "OpenSearch is not unpacked: run tests/setup.sh"
  local java dir port=$1
  java=$(java_home)
  mkdir -p "$2"
  dir=$(cd "$2" && pwd)
  shift 2
  configure "$port" "$dir"
  [ "$secure" = 0 ] || configure_security "$dir"
  cd "$home" # the agent's path below is relative to it
  # The serial collector and no C2: half the CPU time to start, and 230 MB less memory than the defaults.
  HOME=$dir exec "$java/bin/java" -Xms512m -Xmx512m -Xss1m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -javaagent:agent/opensearch-agent.jar --enable-native-access=ALL-UNNAMED \
    -Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1 \
    -Djava.awt.headless=true -Dfile.encoding=UTF-8 -Djava.locale.providers=SPI,CLDR \
    -Djava.io.tmpdir="$dir/tmp" -Djna.nosys=true \
    -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true \
    -Dio.netty.recycler.maxCapacityPerThread=0 -Dio.netty.allocator.numDirectArenas=0 \
    -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true \
    -Dopensearch.path.home="$home" -Dopensearch.path.conf="$dir/config" \
    -Dopensearch.distribution.type=zip -Dopensearch.bundled_jdk=false \
    -cp "$home/lib/*" org.opensearch.bootstrap.OpenSearch "$@" </dev/null
}

case ${1:-} in
install) install ;;
java) find_java ;; # for setup.sh: prints Java's home, or exits with 1
run | run-secure)
  [ $# -ge 3 ] || die "usage: start.sh $1 PORT DIR [-Esetting=value ...]"
  if [ "$1" = run-secure ]; then
    secure=1
    home=$secure_home
  fi
  shift
  run "$@"
  ;;
*) die "usage: start.sh install | run PORT DIR [-Esetting=value ...] | run-secure ..." ;;
esac
