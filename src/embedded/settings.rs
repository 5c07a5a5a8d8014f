//! How the private Postgres is told to run: its settings go on the command line, so that nothing in
//! the cluster differs from what `initdb` made. Trust is for the private socket alone.

use std::ffi::OsString;
use std::fs;

use super::Wishes;
use super::address::encoded;
use super::error::{StartError, cannot};
use super::home::Home;
use super::place::{Listen, write_private};

/// The name that Postgres gives its socket on port 5432.
pub(super) const SOCKET: &str = ".s.PGSQL.5432";

const SETTINGS: [(&str, &str); 7] = [
    ("max_connections", "100"),
    ("shared_buffers", "256MB"),
    ("max_wal_size", "4GB"),
    // Claims step over what ended imports left since the last vacuum.
    ("autovacuum_naptime", "10s"),
    ("unix_socket_permissions", "0700"),
    ("password_encryption", "scram-sha-256"),
    ("cluster_name", "longshore"),
];
const UNSAFE_SETTINGS: [(&str, &str); 3] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
];

/// The arguments of `postgres`. Of two settings with one name, the later wins.
pub(super) fn arguments(home: &Home, listen: &Listen, wishes: &Wishes) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("-D"), home.cluster().into()];
    let mut set = |name: &str, value: OsString| {
        let mut setting = OsString::from(format!("{name}="));
        setting.push(value);
        arguments.extend([OsString::from("-c"), setting]);
    };
    let (addresses, socket_dir, port) = match listen {
        Listen::Socket(dir) => ("", dir.clone().into_os_string(), 5432),
        Listen::Port(port) => ("127.0.0.1", OsString::new(), *port),
    };
    set("listen_addresses", addresses.into());
    set("unix_socket_directories", socket_dir);
    set("port", port.to_string().into());
    set("hba_file", home.dir.join("access.conf").into());
    for (name, value) in SETTINGS {
        set(name, value.into());
    }
    for (name, value) in UNSAFE_SETTINGS.iter().filter(|_| wishes.fast_unsafe) {
        set(name, value.into());
    }
    for (name, value) in &wishes.postgres_settings {
        set(name, value.into());
    }
    arguments
}

/// Writes down who may connect: on a port, only who knows the password.
pub(super) fn write_access_rules(home: &Home, listen: &Listen) -> Result<(), StartError> {
    let rules = match listen {
        Listen::Socket(_) => "local all all trust\n",
        Listen::Port(_) => "host all all 127.0.0.1/32 scram-sha-256\n",
    };
    write_private(&home.dir.join("access.conf"), rules.as_bytes(), home.owner)
}

/// The URL of the database `longshore`, in a spelling that sqlx and psql both read.
pub(super) fn url(home: &Home, listen: &Listen) -> Result<String, StartError> {
    Ok(match listen {
        Listen::Socket(dir) => format!(
            "postgres:///longshore?host={}&port=5432&user=longshore&sslmode=disable",
            encoded(dir)
        ),
        Listen::Port(port) => {
            let password = fs::read_to_string(home.password())
                .map_err(cannot("read the private Postgres' password"))?;
            let password = password.trim_end();
            format!("postgres://longshore:{password}@127.0.0.1:{port}/longshore?sslmode=disable")
        }
    })
}
