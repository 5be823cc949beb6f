# Sourced by the scripts of this repository: installs what is missing from Debian's packages, and says so.
# Each needed thing is a line "test|package": the package is installed when the test (a program or a file) finds nothing.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Programs and headers that building needs: librdkafka (tests only) and the allocator of compressors are C.
packages_to_build="
gcc|gcc
g++|g++
make|make
cmake|cmake
pkg-config|pkg-config
/usr/include/zlib.h|zlib1g-dev
"

# A real ZooKeeper with its Java, and the client that people use.
packages_to_run="
java|default-jre-headless
/usr/share/java/zookeeper.jar|zookeeper
kcat|kcat
setpriv|util-linux
"

# A browser for the console's page.
packages_for_browser="
chromium|chromium
chromedriver|chromium-driver
"

# Clients in Python, in an environment of their own.
packages_for_python="
/usr/bin/python3|python3
/usr/lib/python3.11/ensurepip|python3-venv
"

packages_for_namespaces="
ip|iproute2
"

packages_for_kafka="
java|default-jre-headless
mvn|maven
"

is_there() {
  case "$1" in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# need_packages LIST...: installs those whose test fails.
need_packages() {
  local line missing=()
  while read -r line; do
    [ -z "$line" ] || is_there "${line%%|*}" || missing+=("${line##*|}")
  done <<<"$(printf '%s\n' "$@")"
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing from Debian: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "not root and no sudo: install these by hand: ${missing[*]}"; return 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The programs as released: the broker and the tools.
build_programs() {
  say "building gregor-broker and gregor (release)"
  cargo build --release --quiet --locked --package gregor-broker --package gregor
}
