#!/bin/sh
# Names the programs that are missing, then installs what it can.
#   tools/need.sh build    make, cc and cargo
#   tools/need.sh run      these and postgres; redis-server if it can be had
#   tools/need.sh test     all of them
# It says nothing and changes nothing where nothing is missing. Packages come from apt alone, and
# never start a service of their own; elsewhere the command is printed for somebody else to run.
set -eu
cd "$(dirname "$0")/.."

POSTGRES_MIN=14

rust_min() {
    sed -n 's/^rust-version *= *"\(.*\)".*/\1/p' Cargo.toml
}

# at_least 1.95 1.94
at_least() {
    printf '%s %s\n' "$1" "$2" | awk '{
        split($1, has, "."); split($2, needs, ".")
        for (i = 1; i <= 3; i++)
            if (has[i] + 0 != needs[i] + 0) exit !(has[i] + 0 > needs[i] + 0)
    }'
}

has() {
    case $1 in
        cargo)
            # A rustup without a toolchain has a cargo that only complains.
            version=$(cargo --version 2>/dev/null | sed -n 's/^cargo \([0-9.]*\).*/\1/p')
            [ -n "$version" ] && at_least "$version" "$(rust_min)"
            ;;
        postgres) has_postgres ;;
        redis-server) has_redis ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# The same folders as src/embedded/programs.rs. A space in PATH becomes ?, which matches it again.
has_postgres() {
    for folder in $(printf %s "$PATH" | tr ': ' '\n?') \
        /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
        /Applications/Postgres.app/Contents/Versions/*/bin /usr/local/pgsql*/bin
    do
        [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] || continue
        version=$("$folder/postgres" --version | sed 's/.*) \([0-9]*\).*/\1/')
        [ "$version" -ge "$POSTGRES_MIN" ] && return 0
    done
    return 1
}

has_redis() {
    for folder in $(printf %s "$PATH" | tr ': ' '\n?') \
        /usr/bin /usr/local/bin /opt/homebrew/bin /usr/sbin /usr/local/sbin
    do
        [ -x "$folder/redis-server" ] || [ -x "$folder/valkey-server" ] && return 0
    done
    return 1
}

missing_of() {
    for program in "$@"; do
        has "$program" || printf '%s ' "$program"
    done
}

described() {
    for program in "$@"; do
        case $program in
            cargo) printf ' cargo (%s or newer)' "$(rust_min)" ;;
            postgres) printf ' postgres and initdb (PostgreSQL %s or newer)' "$POSTGRES_MIN" ;;
            *) printf ' %s' "$program" ;;
        esac
        [ "$program" = "$last" ] || printf ','
    done
}

# The packages of programs, in the words of one family of systems.
packages() {
    family=$1
    shift
    for program in "$@"; do
        case $family/$program in
            */cargo) ;;
            brew/make | brew/cc) ;;
            */make) printf ' make' ;;
            apt/cc) printf ' gcc libc6-dev' ;;
            */cc) printf ' gcc' ;;
            dnf/postgres) printf ' postgresql-server' ;;
            */postgres) printf ' postgresql' ;;
            apt/redis-server) printf ' redis-server' ;;
            */redis-server) printf ' redis' ;;
        esac
    done
}

family() {
    for name in apt-get dnf brew apk pacman; do
        if command -v "$name" >/dev/null 2>&1; then
            echo "${name%-get}"
            return
        fi
    done
}

# Printed for a person, so that nothing is installed behind their back.
print_command() {
    case $(family) in
        apt) echo "    apt-get install$(packages apt "$@")" ;;
        dnf) echo "    dnf install$(packages dnf "$@")" ;;
        brew) echo "    brew install$(packages brew "$@")" ;;
        apk) echo "    apk add$(packages apk "$@")" ;;
        pacman) echo "    pacman -S$(packages pacman "$@")" ;;
        *) echo "    (this system's package manager is not known here)" ;;
    esac
}

install() {
    [ "$(family)" = apt ] || return 1
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        return 1
    fi
    # shellcheck disable=SC2046,SC2086
    $as_root sh tools/apt-quietly.sh $(packages apt "$@")
}

case ${1-} in
    build) needed='make cc cargo' wished= ;;
    run) needed='make cc cargo postgres' wished=redis-server ;;
    test) needed='make cc cargo postgres redis-server' wished= ;;
    *)
        sed -n '2,7s/^# //p' "$0" >&2
        exit 2
        ;;
esac

# shellcheck disable=SC2086
missing=$(missing_of $needed $wished)
[ -n "$missing" ] || exit 0
for last in $missing; do :; done
# shellcheck disable=SC2086
echo "missing:$(described $missing)"
# shellcheck disable=SC2086
if [ -n "$(packages apt $missing)" ]; then
    install $missing || true
fi

# shellcheck disable=SC2086
missing=$(missing_of $needed)
# shellcheck disable=SC2086
[ -z "$wished" ] || [ -n "$missing" ] || [ -z "$(missing_of $wished)" ] || {
    echo 'redis-server is still missing; Longshore runs without it and looks for work every second'
}
[ -n "$missing" ] || exit 0
case " $missing" in
    *' cargo '*) echo "cargo $(rust_min) or newer has to be installed by hand: https://rustup.rs" ;;
esac
if [ "$missing" != 'cargo ' ]; then
    echo 'this installs the rest, as root:'
    # shellcheck disable=SC2086
    print_command $missing
fi
exit 1
