//! Composition of the real test guests, run on a bare wasmtime. What the chain does to a request
//! is tested through the runtime, in `tests/it`.

use std::path::PathBuf;

use ward_manifest::Inherit;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

use super::{ComposeError, Composed, HANDLER, HANDLER_FUNCTION, Layer, link_denied, middleware};

fn guest(name: &str) -> Vec<u8> {
    let file = format!("guest_{name}.wasm");
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let path = target.join("wasm32-wasip2/release").join(file);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; build the guests first: `cargo build --target wasm32-wasip2 --release \
             -p guest-{name}`, or `cargo xtask test`, which does",
            path.display()
        )
    })
}

fn nothing() -> Inherit {
    Inherit::Only(Vec::new())
}

fn compose(chain: &[(&str, &Inherit)]) -> Result<Composed, ComposeError> {
    let guests: Vec<_> = chain.iter().map(|(name, _)| guest(name)).collect();
    let layers: Vec<_> = chain
        .iter()
        .zip(&guests)
        .map(|((name, inherit), bytes)| Layer { name, bytes, inherit })
        .collect();
    middleware("hello", &guest("hello"), &layers, &[])
}

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    Engine::new(&config).unwrap()
}

/// Import and export names of a composed component, after wasmtime accepted it.
fn names(composed: &Composed) -> (Vec<String>, Vec<String>) {
    let engine = engine();
    let component = Component::new(&engine, &composed.bytes).unwrap();
    let ty = component.component_type();
    let imports = ty.imports(&engine).map(|(name, _)| name.to_owned()).collect();
    let exports = ty.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    (imports, exports)
}

fn denied_interfaces(composed: &Composed) -> Vec<&str> {
    let mut found: Vec<_> = composed.denied.iter().map(|import| &*import.interface).collect();
    found.sort_unstable();
    found
}

#[test]
fn an_empty_chain_changes_nothing() {
    let composed = compose(&[]).unwrap();
    assert_eq!(composed.bytes, guest("hello"));
    assert!(composed.denied.is_empty());
}

#[test]
fn a_chain_exports_the_handler_alone_and_calls_no_other() {
    let composed = compose(&[("tag", &nothing()), ("nosy", &nothing())]).unwrap();
    assert_eq!(names(&composed).1, [HANDLER]);
    let engine = engine();
    let component = Component::new(&engine, &composed.bytes).unwrap();
    // The import itself may stay, with types alone: see `imports_handler`.
    if let Some(import) = component.component_type().get_import(&engine, HANDLER) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { panic!("{import:?}") };
        assert!(instance.get_export(&engine, HANDLER_FUNCTION).is_none());
    }
}

#[test]
fn what_is_not_inherited_is_renamed_and_the_rest_is_shared() {
    let variables = Inherit::Only(vec!["variables".into()]);
    let composed = compose(&[("nosy", &variables)]).unwrap();
    assert_eq!(
        denied_interfaces(&composed),
        [
            "spin:key-value/key-value@3.0.0",
            "spin:postgres/postgres@4.2.0",
            "wasi:cli/environment@0.2.6",
            "wasi:filesystem/preopens@0.2.6",
            "wasi:http/client@0.3.0",
        ]
    );
    let (imports, _) = names(&composed);
    assert!(imports.iter().any(|name| name == "spin:variables/variables@3.0.0"), "{imports:?}");
    for import in &composed.denied {
        assert!(imports.contains(&import.import), "{imports:?}");
        assert_eq!(import.layer, "nosy");
    }
    assert!(!imports.iter().any(|name| name == "spin:postgres/postgres@4.2.0"), "{imports:?}");
}

#[test]
fn a_layer_that_inherits_all_is_denied_nothing() {
    let composed = compose(&[("nosy", &Inherit::All)]).unwrap();
    assert_eq!(denied_interfaces(&composed), Vec::<&str>::new());
}

#[test]
fn two_layers_of_one_component_are_kept_apart() {
    let composed = compose(&[("nosy", &nothing()), ("nosy", &Inherit::All)]).unwrap();
    let (imports, _) = names(&composed);
    assert!(imports.iter().any(|name| name == "spin:postgres/postgres@4.2.0"), "{imports:?}");
    assert!(composed.denied.iter().all(|import| import.import.starts_with("ward-denied-layer0:")));
}

#[test]
fn the_same_chain_gives_the_same_bytes() {
    let first = compose(&[("tag", &nothing()), ("nosy", &nothing())]).unwrap();
    for _ in 0..4 {
        let again = compose(&[("tag", &nothing()), ("nosy", &nothing())]).unwrap();
        assert!(first.bytes == again.bytes);
        assert_eq!(first.denied, again.denied);
    }
}

#[test]
fn every_denied_import_can_be_linked() {
    let composed = compose(&[("nosy", &nothing()), ("tag", &nothing())]).unwrap();
    let engine = engine();
    let component = Component::new(&engine, &composed.bytes).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    link_denied(&mut linker, &component, &composed.denied).unwrap();
    // The rest of the host may be anything; stubs in its place leave what is defined alone.
    linker.define_unknown_imports_as_traps(&component).unwrap();
    linker.instantiate_pre(&component).unwrap();
}

#[test]
fn refusals_name_the_component_and_what_is_missing() {
    let text = |result: Result<Composed, ComposeError>| result.unwrap_err().to_string();
    let tag = guest("tag");
    let inherit = nothing();
    let layer = |name, bytes| Layer { name, bytes, inherit: &inherit };

    let hello = guest("hello");
    let no_import = text(middleware("tag", &tag, &[layer("hello", &hello)], &[]));
    assert!(no_import.contains("middleware `hello` does not import"), "{no_import}");

    let legacy = guest("legacy");
    let no_export = text(middleware("legacy", &legacy, &[layer("tag", &tag)], &[]));
    assert!(no_export.contains("component `legacy` does not export"), "{no_export}");

    let garbage = text(middleware("hello", &hello, &[layer("junk", b"not wasm at all")], &[]));
    assert!(garbage.contains("`junk` is not a valid component"), "{garbage}");
    let module = text(middleware("junk", b"\0asm\x01\0\0\0", &[layer("tag", &tag)], &[]));
    assert!(module.contains("component `junk` is not a valid component"), "{module}");
}
