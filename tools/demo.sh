#!/usr/bin/env bash
# The demo: starts Longshore with nothing configured, imports a real file of 7,884 rows, imports it
# again, imports it into a stricter database to see rejects, and checks what came out.
# It stays up until Ctrl-C; with DEMO_EXIT=1 it stops what it started and ends.
# It fails, and says where, when anything is not as it should be.
set -euo pipefail
cd "$(dirname "$0")/.."

export LONGSHORE_LISTEN="${LONGSHORE_LISTEN:-127.0.0.1:4800}"
export LONGSHORE_DATA_DIR="${LONGSHORE_DATA_DIR:-.longshore/demo}"
export LONGSHORE_URL="http://$LONGSHORE_LISTEN"
# The demo talks to its own server alone, with a token that is new each time.
LONGSHORE_ADMIN_TOKEN="demo_$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
export LONGSHORE_ADMIN_TOKEN
export LONGSHORE_TOKEN="$LONGSHORE_ADMIN_TOKEN"
unset LONGSHORE_DATABASE_URL LONGSHORE_REDIS_URL LONGSHORE_PAYLOADS

readonly SAMPLE=tests/data/airports.csv
readonly ROWS=7884
readonly REJECTS=1590
readonly MARK=made-by-the-longshore-demo
readonly READY_SECS=120
readonly STOP_SECS=60

program="${LONGSHORE_BIN:-}"
server=""
log=""

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
fail() {
    printf '\ndemo: FAILED: %s\n' "$*" >&2
    if [ -n "$log" ] && [ -s "$log" ]; then
        printf 'the last lines of %s:\n' "$log" >&2
        tail -n 20 "$log" >&2
    fi
    exit 1
}

stop() {
    [ -n "$server" ] || return 0
    local pid="$server" code=0 waited=0
    server=""
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        waited=$((waited + 1))
        if [ "$waited" -gt $((STOP_SECS * 4)) ]; then
            echo "demo: longshore up did not stop within $STOP_SECS s and is killed" >&2
            kill -KILL "$pid" 2>/dev/null || true
        fi
        sleep 0.25
    done
    wait "$pid" || code=$?
    return "$code"
}
trap 'stop || true' EXIT
trap 'exit 130' INT TERM

build() {
    [ -n "$program" ] && return
    step "building (the first time takes minutes)"
    cargo build --release
    program="${CARGO_TARGET_DIR:-target}/release/longshore"
}

# A demo starts from nothing, but only a directory that an earlier demo made is ever removed.
fresh_data_dir() {
    if [ -e "$LONGSHORE_DATA_DIR/$MARK" ]; then
        remove_cluster_elsewhere
        rm -rf -- "$LONGSHORE_DATA_DIR"
    elif [ -n "$(ls -A "$LONGSHORE_DATA_DIR" 2>/dev/null)" ]; then
        fail "$LONGSHORE_DATA_DIR holds something that no demo made; set LONGSHORE_DATA_DIR to another place"
    fi
    mkdir -p "$LONGSHORE_DATA_DIR"
    : >"$LONGSHORE_DATA_DIR/$MARK"
}

# For root the database cluster may live outside the data directory, which then names the place.
remove_cluster_elsewhere() {
    local place
    place="$(cat "$LONGSHORE_DATA_DIR/postgres.elsewhere" 2>/dev/null || true)"
    if [[ "$place" =~ ^/var/lib/longshore/[0-9a-f]+$ ]]; then
        rm -rf -- "$place"
    fi
}

start() {
    step "starting: longshore up (listens on $LONGSHORE_LISTEN, keeps its data in $LONGSHORE_DATA_DIR)"
    log="$LONGSHORE_DATA_DIR/demo.log"
    "$program" up >"$log" 2>&1 &
    server=$!
    local waited=0
    # Our own token must be accepted, else another service listens there.
    until "$program" overview >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || fail "longshore up ended before it was ready"
        waited=$((waited + 1))
        [ "$waited" -lt $((READY_SECS * 4)) ] || fail "no answer from $LONGSHORE_URL within $READY_SECS s"
        sleep 0.25
    done
    echo "ready"
}

# import_sample DATABASE EXPECTED_EXIT: imports the sample and shows progress and books.
import_sample() {
    local code=0
    "$program" import "$SAMPLE" --database "$1" --key icao || code=$?
    [ "$code" -eq "$2" ] || fail "the import into $1 ended with $code instead of $2"
}

# expect_newest NAME=NUMBER...: checks the books of the newest import, to the row.
expect_newest() {
    local status total sum pair
    status="$("$program" status --limit 1 --json)"
    total="$(number "$status" total)"
    sum=0
    for outcome in created updated unchanged ignored deleted rejected unprocessed; do
        sum=$((sum + $(number "$status" "$outcome")))
    done
    [ "$total" -eq "$ROWS" ] || fail "the import counted $total rows of $ROWS"
    [ "$sum" -eq "$total" ] || fail "the books do not balance: $sum of $total rows have an outcome"
    for pair in "$@"; do
        [ "$(number "$status" "${pair%%=*}")" -eq "${pair##*=}" ] ||
            fail "expected ${pair%%=*} to be ${pair##*=}, but it is $(number "$status" "${pair%%=*}")"
    done
    echo "checked: $*, the books balance"
}

# number STATUS NAME: the number of that name in the totals of a status object.
number() {
    local totals found
    totals="${1#*\"totals\":\{}"
    found="$(printf '%s' "${totals%%\}*}" | tr ',' '\n' | sed -n "s/^ *\"$2\" *: *\([0-9][0-9]*\) *$/\1/p")"
    [ -n "$found" ] || fail "the status has no number of that name: $2"
    printf '%s' "$found"
}

build
fresh_data_dir
start

step "a database of 11 typed fields"
"$program" databases create tests/data/airports.database.json
"$program" databases show airports

step "importing $ROWS airports (real data, see tests/data/README.md)"
import_sample airports 0
expect_newest "created=$ROWS" rejected=0

step "the same file again: nothing has changed, so nothing is written"
import_sample airports 0
expect_newest "unchanged=$ROWS" created=0 updated=0

step "into a database where elevation is a whole number: $REJECTS airports do not fit"
"$program" databases create tests/data/airports_whole_feet.database.json
import_sample airports_whole_feet 3
expect_newest "created=$((ROWS - REJECTS))" "rejected=$REJECTS"
id="$("$program" status --limit 1 --json | sed -n 's/.*"id": *"\(imp_[^"]*\)".*/\1/p')"
"$program" rejects "$id" --output "$LONGSHORE_DATA_DIR/rejects.csv"
head -n 3 "$LONGSHORE_DATA_DIR/rejects.csv"

step "all imports"
"$program" status

step "the service as a whole"
"$program" overview

if [ "${DEMO_EXIT:-}" = 1 ]; then
    step "stopping"
    stop || fail "longshore up ended with $? when it was asked to stop"
    echo "demo: everything was as it should be"
    exit 0
fi

step "Longshore runs on until Ctrl-C. Try it from another terminal:"
cat <<TEXT
  export LONGSHORE_URL=$LONGSHORE_URL LONGSHORE_TOKEN=$LONGSHORE_TOKEN
  $program status
  curl -H "Authorization: Bearer \$LONGSHORE_TOKEN" $LONGSHORE_URL/v1/overview
  curl -H "Authorization: Bearer \$LONGSHORE_TOKEN" '$LONGSHORE_URL/v1/databases/airports/profiles?limit=3'
  curl -H "Authorization: Bearer \$LONGSHORE_TOKEN" $LONGSHORE_URL/v1/imports
The server's log: $log
TEXT
trap 'echo; exit 0' INT TERM
wait "$server" || true
server=""
fail "longshore up ended by itself"
