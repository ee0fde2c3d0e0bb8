//! `sslmode` against a server that speaks TLS with a certificate no public root knows. (All other
//! tests run with `prefer` against a server without TLS.)

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::Arc;

use ward_embedded::{Ephemeral, Postgres};

use crate::capabilities::bindings::postgres::{DbValue, Error};
use crate::capabilities::postgres::address::Address;
use crate::capabilities::postgres::pool::PostgresService;

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Whether a connection made this way is encrypted.
async fn encrypted(url: &str, ca_root: Option<&str>) -> Result<bool, Error> {
    let address = Address::parse(url, ca_root)?;
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
    let lease = service.open(&Address::parse(&url, None).unwrap()).await.unwrap();
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

    assert!(matches!(encrypted(&url("disable"), None).await, Ok(false)));
    for mode in ["prefer", "require"] {
        assert!(matches!(encrypted(&url(mode), Some(&root)).await, Ok(true)), "{mode}");
        // A certificate that cannot be verified is never accepted, and never worked around.
        for wrong in [None, Some(stranger.as_str())] {
            let refused = encrypted(&url(mode), wrong).await;
            assert!(matches!(refused, Err(Error::ConnectionFailed(_))), "{mode} {refused:?}");
        }
    }
}
