//! Loading from the disk: directories, missing files, and files that are no text.

use std::path::Path;

use ward_manifest::App;

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
