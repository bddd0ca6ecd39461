#!/usr/bin/env bash
# A real single-node OpenSearch for the tests.
#
#   start.sh install                  unpacks the server once (tests/setup.sh does it)
#   start.sh run PORT DIR [-E...]     runs it in the foreground; config, data and logs go to DIR. PORT 0 takes a free
#                                     one and writes it to DIR/logs/http.ports. SIGTERM stops it. Not as root.
#
# Environment: OTELCOL_TEST_CACHE  where the server is unpacked       (/var/tmp/otelcol-dify-tests-UID)
#              OTELCOL_TEST_JAVA_HOME  a JDK or JRE of version 21 or newer  (searched for)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<opensearch.version>\(.*\)</.*:\1:p' "$here/pom.xml")
# Not in the repository: another user runs the server when root runs the tests, and root's clone may be closed to it.
cache=${OTELCOL_TEST_CACHE:-/var/tmp/otelcol-dify-tests-$(id -u)}
home=$cache/opensearch-$version

die() {
  echo "tests/opensearch/start.sh: $*" >&2
  exit 1
}

# Prints the first Java home that is new enough; the machine's default may be older.
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
  flock 9 # several test runs may come here at the same time
  if [ ! -f "$home/.complete" ]; then
    command -v mvn >/dev/null || die "mvn not found: install maven"
    (umask 022 && mvn -B -q -Dstyle.color=never -f "$here/pom.xml" -Ddist.dir="$cache" prepare-package) ||
      die "Maven could not fetch OpenSearch $version: see its messages above"
    touch "$home/.complete"
  fi
  # A trimmed runtime without locale data can't build the Thai analyser, and then no index at all.
  if ! "$(java_home)/bin/java" -XshowSettings:locale -version 2>&1 | grep -w th >/dev/null; then # not -q: java would see a broken pipe
    rm -rf "$home/modules/analysis-common"
  fi
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
# A nearly full disk of a developer must not make indices read-only.
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

run() { # PORT DIR [-E...]
  [ "$(id -u)" != 0 ] || die "OpenSearch refuses to run as root"
  [ -f "$home/.complete" ] || die "OpenSearch is not unpacked: run tests/setup.sh"
  local java dir port=$1
  java=$(java_home)
  mkdir -p "$2"
  dir=$(cd "$2" && pwd)
  shift 2
  configure "$port" "$dir"
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
java) find_java ;; # for setup.sh: where Java is, or exit code 1
run)
  [ $# -ge 3 ] || die "usage: start.sh run PORT DIR [-Esetting=value ...]"
  shift
  run "$@"
  ;;
*) die "usage: start.sh install | run PORT DIR [-Esetting=value ...]" ;;
esac
