//! Loading from the disk: directories, missing files, and files that are no text.

use std::path::Path;

use expect_test::{Expect, expect};
use ward_manifest::{Addresses, App, KeyPair};

use crate::fold::fold;

#[test]
fn a_directory_stands_for_its_manifest() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("spin.toml");
    let text = "spin_manifest_version = 2\napplication.name = 'x'\n\
                [[trigger.http]]\nroute = '/'\ncomponent = 'a'\n\
                [component.a]\nsource = 'a.wasm'\n";
    std::fs::write(&file, text)?;
    for path in [directory.path(), &file] {
        let app = App::load(path)?;
        assert_eq!(app.root, directory.path());
        assert_eq!(app.components["a"].source, directory.path().join("a.wasm"));
    }
    Ok(())
}

#[test]
fn a_manifest_that_cannot_be_read() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let Err(missing) = App::load(directory.path()) else { return Err("it loaded".into()) };
    let text = missing.to_string();
    assert!(text.contains("spin.toml: the manifest cannot be read (entity not found)"), "{text}");

    std::fs::write(directory.path().join("spin.toml"), [0xff, 0xfe])?;
    let Err(binary) = App::load(directory.path()) else { return Err("it loaded".into()) };
    assert!(binary.to_string().contains("UTF-8"), "{binary}");
    Ok(())
}

#[test]
fn the_manifest_of_this_repository_is_in_order() -> Result<(), ward_manifest::Findings> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let app = App::load(&root)?;
    assert_eq!(app.warnings, []);
    Ok(())
}

/// A manifest with these settings of Ward's, beside two guides, a file that is no text, and a link
/// that leads out.
fn application(settings: &str) -> std::io::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    let app = directory.path().join("app");
    std::fs::create_dir_all(app.join("guides"))?;
    std::fs::write(app.join("guides/first.txt"), "at {{ gateway }}, {{grpc}}\n")?;
    std::fs::write(app.join("guides/second.txt"), "at\n{{ url }}\n")?;
    std::fs::write(app.join("guides/binary"), [0xff, 0xfe])?;
    std::fs::write(directory.path().join("secret.txt"), "hunter2 {{ secret }}")?;
    std::os::unix::fs::symlink("../../secret.txt", app.join("guides/link.txt"))?;
    let text = format!(
        "spin_manifest_version = 2\napplication.name = 'x'\n[variables]\n\
         host = {{ default = '' }}\nseal = {{ required = true, secret = true }}\n\
         check = {{ required = true }}\n[component.main]\nsource = 'main.wasm'\n\
         [[trigger.grpc]]\ncomponent = 'main'\ninterface = 'a:b/c'\npublic = true\n\
         [application.tool.ward]\n{settings}\n"
    );
    std::fs::write(app.join("spin.toml"), text)?;
    Ok(directory)
}

fn check_refused(settings: &str, expected: Expect) {
    let directory = application(settings).unwrap();
    let app = directory.path().join("app");
    let findings = App::load(&app).unwrap_err().to_string();
    assert!(!findings.contains("hunter2"), "{findings}");
    expected.assert_eq(&fold(&findings.replace(&format!("{}/", app.display()), "")));
}

#[test]
fn what_a_start_needs_is_read() {
    let settings = "database_host = 'host'\nguide = './guides/first.txt'\n\
                    generate.ed25519 = [{ private_key = 'seal', public_key = 'check' }]\n\
                    one_of.host = ['', 'h:1']";
    let directory = application(settings).unwrap();
    let settings = App::load(&directory.path().join("app")).unwrap().settings;
    assert_eq!(settings.database_host.as_deref(), Some("host"));
    let pair = KeyPair { private_key: "seal".to_owned(), public_key: "check".to_owned() };
    assert_eq!(settings.key_pairs, [pair]);
    let text = settings.guide.unwrap().text(Addresses { gateway: "http://g", grpc: "h:1" });
    assert_eq!(text, "at http://g, h:1\n");
    assert_eq!(settings.demo_guide, None);
    assert_eq!(settings.one_of["host"], ["", "h:1"]);
}

#[test]
fn where_users_are_is_read() {
    let users = "users = { trigger = 'inside', path = '/people', headers.who = 'operator' }\n\
                 [[trigger.http]]\nid = 'inside'\nroute = { private = true }\ncomponent = 'main'";
    let directory = application(users).unwrap();
    let users = App::load(&directory.path().join("app")).unwrap().settings.users.unwrap();
    assert_eq!((users.trigger.as_str(), users.path.as_str()), ("inside", "/people"));
    assert_eq!(users.headers["who"], "operator");
    check_refused(
        "users = { trigger = 'outside', path = 'people', header = {} }\n\
         [[trigger.http]]\nid = 'outside'\nroute = '/...'\ncomponent = 'main'",
        expect![[r#"
            spin.toml:14:21: `outside` is no HTTP trigger with a private route
              14 | users = { trigger = 'outside', path = 'people', header = {} }
              help: add one with `route = { private = true }` for the component that keeps
            … them
            spin.toml:14:39: "people" is no path: it begins with a slash
              14 | users = { trigger = 'outside', path = 'people', header = {} }
            spin.toml:14:49: unknown key `header`
              14 | users = { trigger = 'outside', path = 'people', header = {} }
              help: did you mean `headers`?"#]],
    );
}

#[test]
fn what_a_start_cannot_use_is_refused_with_its_place() {
    check_refused(
        "guide = 'guides/none.txt'\ndemo_guide = 'guides/second.txt'\ndatabase_host = 'hosts'\n\
         generate = { ed25519 = [{ private_key = 'check', public_key = 'check' }], rsa = [] }",
        expect![[r#"
            spin.toml:14:9: "guides/none.txt" is not there
              14 | guide = 'guides/none.txt'
            spin.toml:15:14: "guides/second.txt" names `{{ url }}` in line 2; there is `{{
            … gateway }}` and `{{ grpc }}`
              15 | demo_guide = 'guides/second.txt'
            spin.toml:16:17: there is no variable `hosts` in [variables]
              16 | database_host = 'hosts'
              help: did you mean `host`?
            spin.toml:17:41: `check` is to hold a private key
              17 | generate = { ed25519 = [{ private_key = 'check', public_key = 'check'
            … }], rsa = [] }
              help: say `secret = true` where it is declared, so that it is never shown
            spin.toml:17:63: `check` would be filled in twice
              17 | generate = { ed25519 = [{ private_key = 'check', public_key = 'check'
            … }], rsa = [] }
            spin.toml:17:75: unknown key `rsa`
              17 | generate = { ed25519 = [{ private_key = 'check', public_key = 'check'
            … }], rsa = [] }
              help: the keys here are ed25519"#]],
    );
    check_refused(
        "one_of = { hosts = ['x'], host = [], check = 1 }",
        expect![[r#"
            spin.toml:14:12: there is no variable `hosts` in [variables]
              14 | one_of = { hosts = ['x'], host = [], check = 1 }
              help: did you mean `host`?
            spin.toml:14:27: `host` could be nothing
              14 | one_of = { hosts = ['x'], host = [], check = 1 }
            spin.toml:14:46: `check` must be a list of strings, and this is an integer
              14 | one_of = { hosts = ['x'], host = [], check = 1 }"#]],
    );
    check_refused(
        "guide = '../secret.txt'\ndemo_guide = 'guides/link.txt'\n\
         generate.ed25519 = [{ private_key = 'seal', key = 'check' }]",
        expect![[r#"
            spin.toml:14:9: "../secret.txt" leads out of the application's directory
              14 | guide = '../secret.txt'
            spin.toml:15:14: "guides/link.txt" leads out of the application's directory
              15 | demo_guide = 'guides/link.txt'
            spin.toml:16:21: `public_key` is missing here; it must be a string
              16 | generate.ed25519 = [{ private_key = 'seal', key = 'check' }]
            spin.toml:16:45: unknown key `key`
              16 | generate.ed25519 = [{ private_key = 'seal', key = 'check' }]
              help: the keys here are private_key, public_key"#]],
    );
    check_refused(
        "guide = '/etc/passwd'\ndemo_guide = 'guides/binary'\ngenerate.ed25519 = 'seal'",
        expect![[r#"
            spin.toml:14:9: "/etc/passwd" leads out of the application's directory
              14 | guide = '/etc/passwd'
            spin.toml:15:14: "guides/binary" is no text in UTF-8
              15 | demo_guide = 'guides/binary'
            spin.toml:16:20: `ed25519` must be a list of { private_key = …, public_key = …
            … }, and this is a string
              16 | generate.ed25519 = 'seal'"#]],
    );
    check_refused(
        "guide = 'guides'\ndemo_guide = ''",
        expect![[r#"
        spin.toml:14:9: "guides" cannot be read (is a directory)
          14 | guide = 'guides'
        spin.toml:15:14: "" cannot be read (is a directory)
          15 | demo_guide = ''"#]],
    );
}

#[test]
fn a_guide_names_an_address_of_grpc_only_where_there_is_one() {
    let directory = application("guide = 'guides/first.txt'").unwrap();
    let file = directory.path().join("app/spin.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("[[trigger.grpc]]", "[[trigger.http]]\nroute = '/'");
    std::fs::write(&file, text.replace("interface = 'a:b/c'\npublic = true\n", "")).unwrap();
    let findings = App::load(&file).unwrap_err().to_string();
    assert!(findings.contains("\"guides/first.txt\" names `{{ grpc }}`"), "{findings}");
}
