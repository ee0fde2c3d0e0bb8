//! `sslmode` against a server that speaks TLS with a certificate no public root knows. (All other
//! tests run with `prefer` against a server without TLS.)

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::Arc;

use ward_embedded::{Ephemeral, Postgres};

use super::address;
use crate::capabilities::bindings::postgres::{DbValue, Error};
use crate::capabilities::postgres::address::Addresses;
use crate::capabilities::postgres::pool::PostgresService;

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Whether a connection made this way is encrypted.
async fn encrypted(url: &str, ca_root: Option<&str>) -> Result<bool, Error> {
    let address = Addresses::default().read(url, ca_root)?;
    let lease = PostgresService::new(None, Arc::default()).open(&address).await?;
    let ask = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(matches!(lease.value(ask, &[]).await?, DbValue::Boolean(true)))
}

/// Gives the server a certificate and has it read its settings again.
async fn turn_on(server: &Ephemeral, certificate: &str, key: &str) {
    let data = server.directory().join("postgres");
    let owner = fs::metadata(&data).unwrap();
    for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
        let file = data.join(name);
        fs::write(&file, pem).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let url = format!("{}?sslmode=disable", server.admin_url());
    let service = PostgresService::new(None, Arc::default());
    let lease = service.open(&address(&url)).await.unwrap();
    lease.execute("ALTER SYSTEM SET ssl = on", &[]).await.unwrap();
    lease.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    for _ in 0..500 {
        let on = lease.value("SELECT current_setting('ssl')", &[]).await.unwrap();
        if matches!(on, DbValue::Str(on) if on == "on") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the server did not turn TLS on in 5 s");
}

#[tokio::test]
async fn sslmode_and_the_given_root_decide() {
    let server = Postgres::ephemeral().await.unwrap();
    let (root, key) = certificate();
    let (stranger, _) = certificate();
    turn_on(&server, &root, &key).await;
    let url = |mode: &str| format!("{}?sslmode={mode}", server.admin_url());

    for mode in ["disable", "allow", "prefer"] {
        // Nothing is between us on loopback.
        assert!(matches!(encrypted(&url(mode), None).await, Ok(false)), "{mode}");
    }
    for mode in ["allow", "prefer", "require", "verify-ca", "verify-full"] {
        assert!(matches!(encrypted(&url(mode), Some(&root)).await, Ok(true)), "{mode}");
        // A certificate that cannot be verified is never accepted, and never worked around.
        let refused = encrypted(&url(mode), Some(&stranger)).await;
        assert!(matches!(refused, Err(Error::ConnectionFailed(_))), "{mode} {refused:?}");
    }
    for mode in ["require", "verify-full"] {
        let refused = encrypted(&url(mode), None).await;
        assert!(matches!(refused, Err(Error::ConnectionFailed(_))), "{mode} {refused:?}");
    }
}

#[tokio::test]
async fn the_name_counts_but_for_verify_ca_and_a_file_is_a_root() {
    let server = Postgres::ephemeral().await.unwrap();
    let (root, key) = certificate();
    turn_on(&server, &root, &key).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("root.pem");
    fs::write(&file, &root).unwrap();
    let url = |host: &str, mode: &str| {
        let url = server.admin_url().replacen("127.0.0.1", host, 1);
        format!("{url}?sslmode={mode}&sslrootcert={}", file.display())
    };
    // The certificate is for the address; the other name leads to it, too.
    for (host, mode, good) in [
        ("127.0.0.1", "verify-full", true),
        ("127.0.0.1", "verify-ca", true),
        ("localhost", "verify-ca", true),
        ("localhost", "verify-full", false),
        ("localhost", "require", false),
    ] {
        let found = encrypted(&url(host, mode), None).await;
        assert_eq!(matches!(found, Ok(true)), good, "{host} {mode} {found:?}");
    }
    fs::remove_file(&file).unwrap();
    let Err(Error::ConnectionFailed(text)) = encrypted(&url("127.0.0.1", "require"), None).await
    else {
        panic!("a root that is not there was believed in");
    };
    assert!(text.contains("root.pem"), "{text}");
}
