#!/usr/bin/env bash
# A real Kafka for the tests: one process that is broker and controller.
#
#   start.sh install                                     downloads it once (tests/setup.sh does it)
#   start.sh run PORT CONTROLLER_PORT DIR [SECURE_PORT]  runs it in the foreground on 127.0.0.1 with its data in DIR, which
#                                                        may exist. SIGTERM stops it. SECURE_PORT is a second listener
#                                                        with TLS and a login: DIR/ca.pem, and the user otelcol with the
#                                                        password secret, by SCRAM-SHA-512 or PLAIN.
#
# Environment: OTELCOL_TEST_CACHE, OTELCOL_TEST_JAVA_HOME: see tests/opensearch/start.sh, which also finds Java for this script.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</.*:\1:p' "$here/pom.xml")
cache=${OTELCOL_TEST_CACHE:-/var/tmp/otelcol-dify-tests-$(id -u)}
home=$cache/kafka-$version

die() {
  echo "tests/kafka/start.sh: $*" >&2
  exit 1
}

install() {
  (umask 022 && mkdir -p "$cache")
  [ -O "$cache" ] || die "$cache belongs to another user: set OTELCOL_TEST_CACHE to a folder of yours"
  exec 9>"$cache/.lock"
  flock 9 # several test runs may do this at the same time
  [ ! -f "$home/.complete" ] || return 0
  command -v mvn >/dev/null || die "mvn not found: install maven"
  (umask 022 && mvn -B -q -Dstyle.color=never -f "$here/pom.xml" -Ddist.dir="$home" prepare-package) ||
    die "Maven could not fetch Kafka $version: see its messages above"
  touch "$home/.complete"
}

configure() { # PORT CONTROLLER_PORT DIR [SECURE_PORT]
  cat >"$3/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$2
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL
listeners=CONTROLLER://127.0.0.1:$2,PLAINTEXT://127.0.0.1:$1${4:+,SECURE://127.0.0.1:$4}
advertised.listeners=PLAINTEXT://127.0.0.1:$1${4:+,SECURE://127.0.0.1:$4}
log.dirs=$3/data
# Topics are created explicitly, as an operator does.
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
# Consumers don't wait for others to join, and may set a session timeout of seconds, after which a killed one is removed.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A killed broker can rejoin when the controller has ended its session: by default after nine seconds.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# A test can take a right away from the user that logs in; a client without a login may do everything.
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
P
  [ -z "${4:-}" ] || cat >>"$3/server.properties" <<P
ssl.keystore.type=PEM
ssl.keystore.location=$3/node.pem
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_otelcol="secret";
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
P
}

certificates() { # a CA, and the broker's key and certificate in one file
  command -v openssl >/dev/null || die "openssl not found: install openssl"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=otelcol-dify-tests -keyout ca.key -out ca.pem 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -subj /CN=broker -keyout node.key -out node.csr 2>/dev/null
  openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
    -extfile <(echo subjectAltName=IP:127.0.0.1) -out node.crt 2>/dev/null
  cat node.key node.crt ca.pem >node.pem
}

run() { # PORT CONTROLLER_PORT DIR [SECURE_PORT]
  [ -f "$home/.complete" ] || die "Kafka is not there: run tests/setup.sh"
  local java dir
  java=$("$here/../opensearch/start.sh" java) || die "no Java found: run tests/setup.sh"
  mkdir -p "$3"
  dir=$(cd "$3" && pwd)
  cd "$dir"
  configure "$1" "$2" "$dir" "${4:-}"
  # The serial collector and no C2, as for OpenSearch: half the CPU time to start.
  java=("$java/bin/java" -Xms512m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$home/*")
  if [ ! -f formatted ]; then
    [ -z "${4:-}" ] || certificates
    "${java[@]}" kafka.tools.StorageTool format -t otelcol-dify-testsAAAA -c server.properties \
      --add-scram 'SCRAM-SHA-512=[name=otelcol,password=secret]'
    touch formatted
  fi
  exec "${java[@]}" kafka.Kafka server.properties </dev/null
}

case ${1:-} in
install) install ;;
run)
  [ $# -ge 4 ] || die "usage: start.sh run PORT CONTROLLER_PORT DIR [SECURE_PORT]"
  shift
  run "$@"
  ;;
*) die "usage: start.sh install | run PORT CONTROLLER_PORT DIR [SECURE_PORT]" ;;
esac
