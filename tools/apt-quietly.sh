#!/bin/sh
# Installs packages by apt as root, asks nothing, and lets no package start a service or make a
# database cluster: Longshore starts servers of its own. What it changes for that, it puts back.
#   tools/apt-quietly.sh PACKAGE…
set -eu

POLICY=/usr/sbin/policy-rc.d
CLUSTERS=/etc/postgresql-common/createcluster.conf
CLUSTERS_OF_PACKAGE=/usr/share/postgresql-common/createcluster.conf
OURS='# put here by tools/apt-quietly.sh for one installation'

# A killed run leaves our file in place; it must not be kept as if it were the system's own.
put_policy() {
    if [ -e "$POLICY" ] && ! grep -qF "$OURS" "$POLICY"; then
        mv "$POLICY" "$POLICY.kept"
    fi
    printf '#!/bin/sh\n%s\nexit 101\n' "$OURS" >"$POLICY"
    chmod 755 "$POLICY"
}

put_clusters() {
    mkdir -p "${CLUSTERS%/*}"
    if [ -e "$CLUSTERS" ] && ! grep -qF "$OURS" "$CLUSTERS"; then
        cp -p "$CLUSTERS" "$CLUSTERS.kept"
    fi
    printf '%s\ncreate_main_cluster = false\n' "$OURS" >"$CLUSTERS"
}

put_back() {
    rm -f "$POLICY"
    if [ -e "$POLICY.kept" ]; then
        mv "$POLICY.kept" "$POLICY"
    fi
    if [ -e "$CLUSTERS.kept" ]; then
        mv "$CLUSTERS.kept" "$CLUSTERS"
    elif [ -e "$CLUSTERS_OF_PACKAGE" ]; then
        cp "$CLUSTERS_OF_PACKAGE" "$CLUSTERS"
    else
        rm -f "$CLUSTERS"
    fi
    rm -f "$CLUSTERS.ucf-dist" "$CLUSTERS.dpkg-dist"
}

install() {
    apt-get install --yes --no-install-recommends "$@"
}

trap put_back EXIT
trap 'exit 1' INT TERM HUP
put_policy
put_clusters
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 NEEDRESTART_MODE=l
log=$(mktemp)
echo "installing: $*"
if ! { install "$@" || { apt-get update && install "$@"; }; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
