//! A private PostgreSQL and fresh databases for tests (feature `testing`).
//!
//! [`fresh_sqlite`] and [`fresh_postgres`] give addresses for [`Store::open`](crate::Store::open); [`on_both!`]
//! writes one test for both. The server is started once per test process, listens on a socket in a directory of
//! its own, forgets to fsync, and is gone with the process even if that is killed.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where Debian's packages put the programs, one folder per version.
const INSTALLED: &str = "/usr/lib/postgresql";
const MISSING: &str = "this test needs PostgreSQL: apt-get install postgresql";
const OLDEST: u32 = 15;
const START_SECONDS: u64 = 60;
const USER: &str = "gateline";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A private PostgreSQL; it stops and its files are removed when this is dropped or the process ends.
#[derive(Debug)]
pub struct Postgres {
    /// Waits for the end of its standard input, then stops the server.
    keeper: Child,
    input: Option<ChildStdin>,
    directory: PathBuf,
}

impl Postgres {
    /// Starts one.
    ///
    /// # Panics
    /// If the programs are missing (with the line to type) or the server does not come up.
    pub fn start() -> Self {
        let programs = programs().unwrap_or_else(|| panic!("{MISSING}"));
        let unique = NEXT.fetch_add(1, Ordering::Relaxed);
        // Not in TMPDIR: a socket's path has 107 characters at most.
        let directory = PathBuf::from(format!("/tmp/gateline-pg-{}-{unique}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory can be made in /tmp");
        let owner = unprivileged();
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(&directory, Some(user), Some(group)).expect("root may give files away");
        }
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&directory, mode).expect("the directory is ours");
        let mut keeper = Command::new("/bin/sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(&programs)
            .arg(&directory)
            .arg(USER)
            .current_dir("/")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((user, group)) = owner {
            keeper.uid(user).gid(group);
        }
        // A process group of its own: Ctrl-C at the terminal is for the tests, the end of input for the keeper.
        let mut keeper = keeper.process_group(0).spawn().expect("there is a shell");
        let input = keeper.stdin.take();
        let mut server = Self {
            keeper,
            input,
            directory,
        };
        server.wait();
        server
    }

    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_secs(START_SECONDS);
        let ready = self.directory.join("ready");
        while !ready.exists() {
            let ended = self.keeper.try_wait().expect("the keeper is our child").is_some();
            if ended || Instant::now() > until {
                panic!("PostgreSQL did not start:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        let mut text = String::new();
        let read = |file: fs::File, text: &mut String| file.take(8192).read_to_string(text);
        let opened = fs::File::open(self.directory.join("log"));
        match opened.and_then(|file| read(file, &mut text)) {
            Ok(_) => text,
            Err(error) => format!("(no log: {error})"),
        }
    }

    /// The address of one of its databases.
    pub fn address(&self, database: &str) -> String {
        format!(
            "postgres:///{database}?host={}&user={USER}",
            self.directory.display()
        )
    }

    /// Makes an empty database; returns its address.
    pub async fn fresh(&self) -> String {
        use sqlx::Connection as _;

        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = sqlx::PgConnection::connect(&self.address("postgres"))
            .await
            .expect("the server is ready");
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .expect("the server makes databases");
        self.address(&name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.input.take());
        // The keeper removes the directory last; whoever drops this may want to look.
        let _ = self.keeper.wait();
    }
}

/// `$1` the programs, `$2` the directory, `$3` the superuser.
const KEEPER: &str = r#"
exec 2>"$2/log" >&2
"$1/initdb" -D "$2/data" -U "$3" --auth=trust --encoding=UTF8 --locale=C --no-sync --no-instructions || exit 1
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
    -c synchronous_commit=off -c max_connections=300 -c shared_buffers=32MB </dev/null &
server=$!
tries=0
until "$1/pg_isready" -q -h "$2" -U "$3" -d postgres; do
    tries=$((tries + 1))
    if ! kill -0 "$server" || [ "$tries" -gt 1000 ]; then exit 1; fi
    sleep 0.05
done
: >"$2/ready"
cat >/dev/null
kill -INT "$server"
wait "$server"
cd / && rm -rf "$2"
"#;

/// The folder with the programs of the newest version that is new enough.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(INSTALLED).ok()?;
    let version =
        |entry: io::Result<fs::DirEntry>| -> Option<u32> { entry.ok()?.file_name().to_str()?.parse().ok() };
    let newest = versions
        .filter_map(version)
        .filter(|version| *version >= OLDEST)
        .max()?;
    let folder = Path::new(INSTALLED).join(newest.to_string()).join("bin");
    folder.join("initdb").exists().then_some(folder)
}

/// Whom to run the server as if we are root, which it refuses: user and group of `postgres`, else of `nobody`.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;

    let us = fs::metadata("/proc/self").ok()?.uid();
    if us != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

/// An empty database on the PostgreSQL of this test process, which is started at the first call.
pub async fn fresh_postgres() -> String {
    static SERVER: OnceLock<Postgres> = OnceLock::new();

    // A static is never dropped; the keeper sees the end of its input when the process ends, however it ends.
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(Postgres::start));
    server
        .await
        .expect("starting PostgreSQL does not panic unless it is missing")
        .fresh()
        .await
}

/// The address of a new SQLite file in a directory, which has to outlive it.
pub fn fresh_sqlite(directory: &Path) -> String {
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("sqlite:{}", directory.join(format!("t{unique}.db")).display())
}

/// Writes each test twice: `async fn name(url: String)` becomes `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($url:ident: String) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($url: String) $body

            $(#[$attribute])*
            #[tokio::test]
            async fn sqlite() {
                let directory = tempfile::tempdir().expect("a temporary directory");
                run($crate::testing::fresh_sqlite(directory.path())).await;
            }

            $(#[$attribute])*
            #[tokio::test]
            async fn postgres() {
                run($crate::testing::fresh_postgres().await).await;
            }
        }
    )*};
}
