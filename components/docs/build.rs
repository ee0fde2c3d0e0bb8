//! Takes Swagger UI out of its package, where it is a zip archive: what a browser needs of it.

use std::borrow::Cow;
use std::error::Error;
use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const FILES: [&str; 3] =
    ["swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::env::var("OUT_DIR")?;
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for file in FILES {
        let end = format!("/dist/{file}");
        let name = {
            let mut names = archive.file_names().filter_map(Result::ok);
            names.find(|name| name.ends_with(&end)).map(Cow::into_owned)
        };
        let name = name.ok_or_else(|| format!("Swagger UI has no {file}"))?;
        let mut to = File::create(Path::new(&out).join(file))?;
        std::io::copy(&mut archive.by_name(&name)?, &mut to)?;
    }
    Ok(())
}
