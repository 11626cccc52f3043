#!/bin/bash
# Installs what the tests need on Debian 12: the RabbitMQ server, PostgreSQL, Prometheus with promtool, systemd-analyze and a Python
# with pika and pytest.
#
# Promises: no service is started or left behind; nothing that ran before is stopped; a second run is quick and changes
# nothing; every piece is checked at the end, so exit 0 means that all of it is there. Needs root only when a system
# package is missing; without root it names the missing ones and exits 1.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
BED="$ROOT/target/bed"
PACKAGES_FOLDER="$BED/debian"
VENV="$BED/venv"
REQUIREMENTS="$ROOT/tests/bed/requirements.txt"
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK="# heliograph test bed: no service starts while its package is installed"

say() { echo "test bed: $*" >&2; }

missing_packages() {
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || echo rabbitmq-server
    command -v epmd >/dev/null || echo erlang-base
    [ -x /usr/lib/postgresql/15/bin/initdb ] || echo postgresql-15
    command -v setpriv >/dev/null || echo util-linux
    command -v g++ >/dev/null || echo g++
    command -v strace >/dev/null || echo strace
    command -v systemd-analyze >/dev/null || echo systemd
    python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
}

PACKAGE_LISTS_ARE_FRESH=no
update_package_lists() {
    [ "$PACKAGE_LISTS_ARE_FRESH" = yes ] || apt-get update -qq
    PACKAGE_LISTS_ARE_FRESH=yes
}

remove_own_policy() {
    if [ -f "$POLICY" ] && grep -qF "$POLICY_MARK" "$POLICY"; then rm -f "$POLICY"; fi
}

# Debian starts a service when its package is installed unless policy-rc.d says 101.
forbid_service_starts() {
    remove_own_policy # one that a killed run left behind
    if [ ! -e "$POLICY" ]; then
        trap remove_own_policy EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >"$POLICY"
        chmod 755 "$POLICY"
        return
    fi
    local answer=0
    "$POLICY" rabbitmq-server start || answer=$?
    if [ "$answer" != 101 ]; then
        say "$POLICY lets services start (exit $answer); install rabbitmq-server by hand, then run this again"
        exit 1
    fi
}

install_system_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        say "missing packages: ${missing[*]}"
        say "as root: apt-get update && apt-get install --no-install-recommends ${missing[*]}"
        exit 1
    fi
    say "installing ${missing[*]}"
    update_package_lists
    forbid_service_starts
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$BED/apt.log" 2>&1 ||
        { cat "$BED/apt.log" >&2; exit 1; }
    remove_own_policy
}

# Unpacked beside the build, not installed: a Prometheus of the machine's own stays as it is.
unpack_prometheus() {
    [ ! -x "$PACKAGES_FOLDER/usr/bin/promtool" ] || [ ! -x "$PACKAGES_FOLDER/usr/bin/prometheus" ] || return 0
    say "unpacking prometheus"
    local download
    download="$(mktemp -d "$BED/download.XXXXXX")"
    chmod 755 "$download" # apt's own user writes here
    if ! (cd "$download" && apt-get download -qq prometheus 2>"$download/apt.log"); then
        if [ "$(id -u)" != 0 ]; then
            cat "$download/apt.log" >&2
            say "prometheus cannot be downloaded; as root: apt-get update"
            exit 1
        fi
        update_package_lists
        (cd "$download" && apt-get download -qq prometheus)
    fi
    rm -rf "$PACKAGES_FOLDER" "$PACKAGES_FOLDER.new"
    dpkg -x "$download"/prometheus_*.deb "$PACKAGES_FOLDER.new"
    mv "$PACKAGES_FOLDER.new" "$PACKAGES_FOLDER"
    rm -rf "$download"
}

# The mark is a copy of the requirements, written last: a half-made folder is made again.
make_venv() {
    if [ -x "$VENV/bin/python" ] && cmp -s "$REQUIREMENTS" "$VENV/requirements.installed"; then return 0; fi
    say "making the Python environment"
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$REQUIREMENTS"
    cp "$REQUIREMENTS" "$VENV/requirements.installed"
}

check_everything_is_there() {
    local version
    version="$(dpkg-query --show --showformat='${Version}' rabbitmq-server)"
    say "rabbitmq-server $version"
    say "$(/usr/lib/postgresql/15/bin/postgres --version)"
    [ -z "$(missing_packages)" ] || { say "still missing: $(missing_packages | tr '\n' ' ')"; exit 1; }
    say "$("$PACKAGES_FOLDER/usr/bin/prometheus" --version 2>&1 | head -1)"
    "$PACKAGES_FOLDER/usr/bin/promtool" --version >/dev/null 2>&1
    say "$(systemd-analyze --version | head -1)"
    say "$("$VENV/bin/python" -c 'import pika, pytest, yaml; print("pika", pika.__version__, "pytest", pytest.__version__)')"
    "$VENV/bin/hadolint" --version >/dev/null
}

mkdir -p "$BED"
install_system_packages
unpack_prometheus
make_venv
check_everything_is_there
