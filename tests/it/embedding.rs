//! Facts about the private servers, on real ones. Every test has a data directory of its own, and
//! the ones about killed parents run this very binary as the parent.
//! Longer than the house likes: every fact here needs the same few ways to start a parent, to kill it
//! and to look for what it left behind.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use longshore::embedded::{Servers, StartError, Wishes, check_server};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

const PARENT_DIR: &str = "LONGSHORE_TEST_PARENT_DIR";

/// A directory that every user may enter.
fn open_dir() -> TempDir {
    dir_of_mode(0o755)
}

fn dir_of_mode(mode: u32) -> TempDir {
    let dir = tempfile::Builder::new()
        .prefix("ls-")
        .tempdir_in("/tmp")
        .unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
    dir
}

fn wishes(dir: &Path) -> Wishes {
    Wishes {
        data_dir: dir.join("data"),
        postgres: true,
        redis: true,
        fast_unsafe: true,
        postgres_settings: vec![("shared_buffers".into(), "16MB".into())],
    }
}

async fn start(dir: &Path) -> Servers {
    Servers::start(&wishes(dir)).await.unwrap()
}

async fn sql<T>(servers: &Servers, query: &'static str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut connection = PgConnection::connect(servers.database_url().unwrap())
        .await
        .unwrap();
    sqlx::query_scalar(query)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

async fn redis<T: redis::FromRedisValue>(servers: &Servers, command: &[&str]) -> T {
    let client = redis::Client::open(servers.redis_url().unwrap()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(command[0])
        .arg(&command[1..])
        .query_async(&mut connection)
        .await
        .unwrap()
}

fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

async fn gone_within(secs: u64, pids: &[u32]) -> bool {
    let deadline = Instant::now() + Duration::from_secs(secs);
    while pids.iter().any(|&pid| is_running(pid)) {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill")
        .args(["-s", signal, &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// A process that holds servers and does nothing, with their process ids.
fn spawn_parent(dir: &Path) -> (Child, Vec<u32>) {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "embedding::holds_servers_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(PARENT_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let line = lines
        .map_while(Result::ok)
        .find(|line| line.contains("pids "))
        .unwrap();
    let pids = line.split("pids ").nth(1).unwrap();
    (
        parent,
        pids.split(' ').map(|pid| pid.parse().unwrap()).collect(),
    )
}

#[tokio::test]
#[ignore = "the parent in other tests, not a test"]
async fn holds_servers_until_it_is_killed() {
    let Some(dir) = std::env::var_os(PARENT_DIR) else {
        return;
    };
    let servers = start(&PathBuf::from(dir)).await;
    let pids = (
        servers.postgres_pid().unwrap(),
        servers.redis_pid().unwrap(),
    );
    println!("\npids {} {}", pids.0, pids.1);
    tokio::time::sleep(Duration::from_secs(120)).await;
    drop(servers);
}

#[tokio::test]
async fn data_survive_a_stop_and_a_start() {
    let dir = open_dir();
    let servers = start(dir.path()).await;
    assert!(check_server(servers.database_url().unwrap()).await.unwrap() >= 14);
    assert!(sql::<bool>(&servers, "select lower('Ä') = 'ä'").await);
    let mut connection = PgConnection::connect(servers.database_url().unwrap())
        .await
        .unwrap();
    sqlx::query("create table kept as select 7 as n")
        .execute(&mut connection)
        .await
        .unwrap();
    redis::<()>(&servers, &["SET", "kept", "yes"]).await;
    let pids = [
        servers.postgres_pid().unwrap(),
        servers.redis_pid().unwrap(),
    ];
    servers.stop().await.unwrap();
    assert!(!pids.iter().any(|&pid| is_running(pid)));

    let servers = start(dir.path()).await;
    assert_eq!(sql::<i32>(&servers, "select n from kept").await, 7);
    assert_eq!(redis::<String>(&servers, &["GET", "kept"]).await, "yes");
    assert_eq!(sql::<String>(&servers, "show listen_addresses").await, "");
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn servers_die_with_a_parent_that_is_killed() {
    let dir = open_dir();
    let (mut parent, pids) = spawn_parent(dir.path());
    assert!(pids.iter().all(|&pid| is_running(pid)));
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(gone_within(10, &pids).await, "{pids:?} are still there");
}

#[tokio::test]
async fn a_start_right_after_a_kill_takes_over() {
    let dir = open_dir();
    let (mut parent, pids) = spawn_parent(dir.path());
    parent.kill().unwrap();
    parent.wait().unwrap();
    let servers = start(dir.path()).await;
    assert!(!pids.iter().any(|&pid| is_running(pid)));
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn orphans_that_even_lost_their_guardians_are_stopped() {
    let dir = open_dir();
    let (mut parent, pids) = spawn_parent(dir.path());
    for &pid in &pids {
        for guardian in guardians_of(pid) {
            kill("KILL", guardian);
        }
    }
    parent.kill().unwrap();
    parent.wait().unwrap();
    kill("STOP", pids[1]);
    assert!(pids.iter().all(|&pid| is_running(pid)));
    let servers = start(dir.path()).await;
    assert!(!pids.iter().any(|&pid| is_running(pid)));
    assert_eq!(sql::<i32>(&servers, "select 1").await, 1);
    servers.stop().await.unwrap();
}

/// The shell above a server and that shell's watcher.
fn guardians_of(pid: u32) -> Vec<u32> {
    let parent_of = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
    };
    let guardian = parent_of(pid).unwrap();
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<u32> = pids
        .filter(|&other| other != pid && parent_of(other) == Some(guardian))
        .collect();
    found.push(guardian);
    found
}

#[tokio::test]
async fn a_stale_pid_file_is_no_obstacle_even_if_the_number_is_in_use() {
    let dir = open_dir();
    let servers = start(dir.path()).await;
    let cluster = servers.postgres_dir().unwrap().join("cluster");
    let pids = [
        servers.postgres_pid().unwrap(),
        servers.redis_pid().unwrap(),
    ];
    let owner = fs::metadata(&cluster).unwrap();
    for pid in pids {
        kill("KILL", pid);
    }
    assert!(gone_within(10, &pids).await);
    drop(servers);
    // A stranger that runs as the same user, which is what Postgres would take for itself.
    let mut stranger = {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("sleep");
        command.arg("60").current_dir("/");
        if owner.uid() != fs::metadata("/proc/self").unwrap().uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        command.spawn().unwrap()
    };
    let file = cluster.join("postmaster.pid");
    let noted = fs::read_to_string(&file).unwrap();
    let rest = noted.split_once('\n').unwrap().1;
    fs::write(&file, format!("{}\n{rest}", stranger.id())).unwrap();
    fs::write(
        dir.path().join("data/redis/redis.pid"),
        stranger.id().to_string(),
    )
    .unwrap();

    let servers = start(dir.path()).await;
    assert_eq!(sql::<i32>(&servers, "select 1").await, 1);
    assert!(
        stranger.try_wait().unwrap().is_none(),
        "a stranger was signalled"
    );
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_on_a_live_directory_is_refused() {
    let dir = open_dir();
    let servers = start(dir.path()).await;
    let refused = Servers::start(&wishes(dir.path())).await.unwrap_err();
    assert!(matches!(refused, StartError::Busy { .. }), "{refused}");
    assert!(
        refused
            .to_string()
            .contains(&std::process::id().to_string()),
        "{refused}"
    );
    assert_eq!(sql::<i32>(&servers, "select 1").await, 1);
    servers.stop().await.unwrap();
    start(dir.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_half_made_cluster_is_made_again() {
    let dir = open_dir();
    let home = dir.path().join("data/postgres/half-made-1");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("PG_VERSION"), "15\n").unwrap();
    let servers = start(dir.path()).await;
    assert!(!home.exists());
    assert_eq!(sql::<i32>(&servers, "select 1").await, 1);
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn a_long_path_moves_both_servers_to_ports_with_passwords() {
    let dir = open_dir();
    let deep = dir.path().join("a".repeat(60)).join("b".repeat(60));
    let servers = start(&deep).await;
    assert_eq!(sql::<i32>(&servers, "select 1").await, 1);
    assert_eq!(redis::<String>(&servers, &["PING"]).await, "PONG");
    let (postgres, redis) = (
        servers.database_url().unwrap(),
        servers.redis_url().unwrap(),
    );
    assert!(postgres.contains("@127.0.0.1:") && redis.contains("@127.0.0.1:"));

    let without = format!(
        "postgres://longshore@{}",
        postgres.split_once('@').unwrap().1
    );
    assert!(PgConnection::connect(&without).await.is_err());
    let without = format!("redis://{}", redis.split_once('@').unwrap().1);
    let client = redis::Client::open(without).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    assert!(
        redis::cmd("GET")
            .arg("x")
            .query_async::<()>(&mut connection)
            .await
            .is_err()
    );
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn for_root_a_closed_directory_keeps_its_cluster_elsewhere() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let dir = dir_of_mode(0o700);
    let servers = start(dir.path()).await;
    let home = servers.postgres_dir().unwrap().to_owned();
    assert!(home.starts_with("/var/lib/longshore"), "{}", home.display());
    assert_eq!(fs::metadata(&home).unwrap().mode() & 0o777, 0o700);
    let mut connection = PgConnection::connect(servers.database_url().unwrap())
        .await
        .unwrap();
    sqlx::query("create table kept as select 7 as n")
        .execute(&mut connection)
        .await
        .unwrap();
    servers.stop().await.unwrap();

    let servers = start(dir.path()).await;
    assert_eq!(servers.postgres_dir().unwrap(), home);
    assert_eq!(sql::<i32>(&servers, "select n from kept").await, 7);
    servers.stop().await.unwrap();

    // A new data directory of the same path is empty, and the old cluster is not lost.
    fs::remove_dir_all(dir.path().join("data")).unwrap();
    let servers = start(dir.path()).await;
    let found: Option<String> = sql(&servers, "select to_regclass('kept')::text").await;
    assert_eq!(found, None);
    servers.stop().await.unwrap();
    let name = home.file_name().unwrap().to_str().unwrap().to_owned();
    let kept = fs::read_dir("/var/lib/longshore")
        .unwrap()
        .filter_map(Result::ok);
    let kept: Vec<_> = kept
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&name))
        .collect();
    assert_eq!(kept.len(), 2);
    for entry in kept {
        fs::remove_dir_all(entry.path()).unwrap();
    }

    let refused = Servers::start(&wishes(dir.path())).await.unwrap_err();
    assert!(
        matches!(refused, StartError::ClusterGone { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn an_unreadable_snapshot_of_redis_is_set_aside() {
    let dir = open_dir();
    let home = dir.path().join("data/redis");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("dump.rdb"), "no snapshot at all").unwrap();
    let only_redis = Wishes {
        postgres: false,
        ..wishes(dir.path())
    };
    let servers = Servers::start(&only_redis).await.unwrap();
    assert_eq!(servers.database_url(), None);
    assert_eq!(redis::<String>(&servers, &["PING"]).await, "PONG");
    assert!(home.join("dump.rdb.unreadable").exists());
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_dies_by_itself_is_noticed() {
    let dir = open_dir();
    let only_redis = Wishes {
        postgres: false,
        ..wishes(dir.path())
    };
    let mut servers = Servers::start(&only_redis).await.unwrap();
    assert_eq!(servers.ended(), None);
    let pid = servers.redis_pid().unwrap();
    kill("KILL", pid);
    assert!(gone_within(10, &[pid]).await);
    let deadline = Instant::now() + Duration::from_secs(5);
    while servers.ended().is_none() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(servers.ended(), Some("Redis"));
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn a_setting_that_postgres_refuses_is_shown_with_the_log() {
    let dir = open_dir();
    let mut odd = Wishes {
        redis: false,
        ..wishes(dir.path())
    };
    odd.postgres_settings
        .push(("no_such_setting".into(), "1".into()));
    let refused = Servers::start(&odd).await.unwrap_err().to_string();
    assert!(
        refused.contains("no_such_setting") && refused.contains("postgres.log"),
        "{refused}"
    );
}

#[test]
fn servers_outlive_the_runtime_and_thread_that_started_them() {
    let dir = open_dir();
    let path = dir.path().to_owned();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let servers = std::thread::spawn(move || runtime().block_on(async { start(&path).await }))
        .join()
        .unwrap();
    runtime().block_on(async {
        assert_eq!(sql::<i32>(&servers, "select 1").await, 1);
        assert_eq!(redis::<String>(&servers, &["PING"]).await, "PONG");
        servers.stop().await.unwrap();
    });
}

#[tokio::test]
async fn a_server_of_another_encoding_is_refused() {
    let dir = open_dir();
    let servers = start(dir.path()).await;
    let mut connection = PgConnection::connect(servers.database_url().unwrap())
        .await
        .unwrap();
    sqlx::query("create database odd encoding 'SQL_ASCII' locale 'C' template template0")
        .execute(&mut connection)
        .await
        .unwrap();
    let url = servers
        .database_url()
        .unwrap()
        .replace("///longshore", "///odd");
    let refused = check_server(&url).await.unwrap_err().to_string();
    assert!(refused.contains("SQL_ASCII"), "{refused}");
    servers.stop().await.unwrap();
}
