//! Manifests in order, and what Ward makes of them.

use std::path::Path;

use expect_test::{Expect, expect};
use ward_manifest::App;

fn check(text: &str, expected: Expect) {
    let shown = match App::read(Path::new("dir/spin.toml"), text) {
        Ok(mut app) => {
            app.origin = Default::default();
            format!("{app:#?}\n")
        }
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&shown);
}

/// Only what triggers became, and the warnings.
fn check_triggers(text: &str, expected: Expect) {
    let head = "spin_manifest_version = 2\napplication.name = 'x'\n";
    let shown = match App::read(Path::new("spin.toml"), &format!("{head}{text}")) {
        Ok(app) => {
            let triggers = app.http_triggers.iter();
            let mut lines: Vec<String> =
                triggers.map(|t| format!("{} {:?} {:?}", t.id, t.route, t.action)).collect();
            lines.extend(app.components.keys().map(|id| format!("component {id}")));
            lines.extend(app.warnings.iter().map(|warning| warning.to_string()));
            lines.join("\n")
        }
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_least_there_can_be() {
    check(
        "spin_manifest_version = 2\napplication.name = 'x'\n\
         [[trigger.http]]\nroute = '/'\nstatic_response = {}\n",
        expect![[r#"
            App {
                name: "x",
                version: None,
                description: None,
                root: "dir",
                variables: {},
                http_triggers: [
                    HttpTrigger {
                        id: "http-trigger1",
                        route: Public(
                            "/",
                        ),
                        action: Static(
                            StaticResponse {
                                status_code: 200,
                                headers: {},
                                body: "",
                            },
                        ),
                        middleware: [],
                    },
                ],
                components: {},
                settings: Settings {
                    listen: 127.0.0.1:4004,
                    listeners: {},
                },
                warnings: [],
                origin: Origin {
                    file: "",
                    variables: {},
                    hosts: {},
                },
            }
        "#]],
    );
}

#[test]
fn an_application_like_ours() {
    check(include_str!("clinic.toml"), expect![[r#"
        App {
            name: "clinic",
            version: Some(
                "0.1.0",
            ),
            description: Some(
                "Patients and their doctors",
            ),
            root: "dir",
            variables: {
                "db_host": Variable {
                    description: Some(
                        "host:port",
                    ),
                    default: Some(
                        "127.0.0.1:5432",
                    ),
                    secret: false,
                },
                "jwt_public_key": Variable {
                    description: None,
                    default: None,
                    secret: false,
                },
                "patients_db_url": Variable {
                    description: None,
                    default: None,
                    secret: true,
                },
            },
            http_triggers: [
                HttpTrigger {
                    id: "patients-http-trigger",
                    route: Public(
                        "/api/patients/...",
                    ),
                    action: Component(
                        "patients",
                    ),
                    middleware: [
                        Dependency {
                            name: "guard",
                            source: "dir/target/guard.wasm",
                            export: None,
                            inherit: Only(
                                [
                                    "variables",
                                ],
                            ),
                        },
                        Dependency {
                            name: "wasm/compress.wasm",
                            source: "dir/wasm/compress.wasm",
                            export: None,
                            inherit: Only(
                                [],
                            ),
                        },
                    ],
                },
                HttpTrigger {
                    id: "robots",
                    route: Public(
                        "/robots.txt",
                    ),
                    action: Static(
                        StaticResponse {
                            status_code: 200,
                            headers: {
                                "content-type": "text/plain",
                            },
                            body: "no",
                        },
                    ),
                    middleware: [],
                },
                HttpTrigger {
                    id: "http-trigger1",
                    route: Private,
                    action: Component(
                        "patients",
                    ),
                    middleware: [],
                },
            ],
            components: {
                "guard": Component {
                    id: "guard",
                    source: "dir/target/guard.wasm",
                    description: None,
                    variables: [],
                    environment: [],
                    files: [],
                    exclude_files: [],
                    allowed_outbound_hosts: [],
                    key_value_stores: [],
                    dependencies: {},
                    build: Some(
                        Build {
                            commands: [
                                "cargo build -p guard",
                            ],
                            workdir: "dir",
                            watch: [],
                        },
                    ),
                    settings: ComponentSettings {
                        memory_limit_bytes: 134217728,
                        deadline: 30s,
                        instance_reuse_max: 128,
                        instance_concurrency_max: 16,
                        instance_idle: 1s,
                        database: None,
                    },
                },
                "patients": Component {
                    id: "patients",
                    source: "dir/target/patients.wasm",
                    description: Some(
                        "Patients",
                    ),
                    variables: [
                        "db_url",
                        "jwt_public_key",
                    ],
                    environment: [
                        "RUST_BACKTRACE",
                    ],
                    files: [
                        Glob(
                            "assets/**/*",
                        ),
                        Directory {
                            source: "dir/static",
                            destination: "/www",
                        },
                    ],
                    exclude_files: [
                        "**/*.tmp",
                    ],
                    allowed_outbound_hosts: [
                        "postgres://{{ db_host }}",
                        "https://*.example.com:8000..8080",
                    ],
                    key_value_stores: [
                        "default",
                    ],
                    dependencies: {
                        "guarded": Dependency {
                            name: "guard",
                            source: "dir/target/guard.wasm",
                            export: None,
                            inherit: Only(
                                [],
                            ),
                        },
                        "pms:billing/accounts@1.0.0": Dependency {
                            name: "target/billing.wasm",
                            source: "dir/target/billing.wasm",
                            export: Some(
                                "accounts",
                            ),
                            inherit: All,
                        },
                    },
                    build: Some(
                        Build {
                            commands: [
                                "npm ci",
                                "cargo build -p patients",
                            ],
                            workdir: "dir/components/patients",
                            watch: [
                                "src/**/*.rs",
                            ],
                        },
                    ),
                    settings: ComponentSettings {
                        memory_limit_bytes: 67108864,
                        deadline: 500ms,
                        instance_reuse_max: 10,
                        instance_concurrency_max: 2,
                        instance_idle: 2s,
                        database: Some(
                            Database {
                                name: "patients",
                                variable: "patients_db_url",
                                migrations: "dir/components/patients/migrations",
                                demo: Some(
                                    "dir/components/patients/demo.sql",
                                ),
                            },
                        ),
                    },
                },
            },
            settings: Settings {
                listen: 0.0.0.0:4004,
                listeners: {
                    "patients": 127.0.0.1:4000,
                },
            },
            warnings: [],
            origin: Origin {
                file: "",
                variables: {},
                hosts: {},
            },
        }
    "#]]);
}

#[test]
fn triggers_without_ids_get_those_of_spin() {
    check_triggers(
        "[[trigger.http]]\nroute = '/a'\ncomponent = 'one'\n\
         [[trigger.http]]\nroute = '/b'\ncomponent = 'one'\n\
         [[trigger.http]]\nroute = '/c'\nstatic_response = {}\n\
         [[trigger.http]]\nid = ''\nroute = '/d'\nstatic_response = {}\n\
         [[trigger.http]]\nid = 'http-trigger2'\nroute = '/e'\ncomponent = { source = 'e.wasm' }\n\
         [[trigger.http]]\nroute = '/f'\ncomponent = { source = 'f.wasm' }\n\
         [[trigger.http]]\nid = 'own'\nroute = '/g'\ncomponent = { source = 'g.wasm' }\n\
         [component.one]\nsource = 'one.wasm'\n\
         [component.own-component]\nsource = 'own.wasm'\n",
        expect![[r#"
            one-http-trigger Public("/a") Component("one")
            http-trigger1 Public("/b") Component("one")
            http-trigger3 Public("/c") Static(StaticResponse { status_code: 200, headers: {}, body: "" })
            http-trigger4 Public("/d") Static(StaticResponse { status_code: 200, headers: {}, body: "" })
            http-trigger2 Public("/e") Component("http-trigger2-component")
            http-trigger5 Public("/f") Component("http-trigger5-component")
            own Public("/g") Component("inline-component1")
            component http-trigger2-component
            component http-trigger5-component
            component inline-component1
            component one
            component own-component"#]],
    );
}

#[test]
fn oddities_are_warnings() {
    check_triggers(
        "[[trigger.http]]\nroute = '/a'\ncomponent = 'one'\n\
         [[trigger.http]]\nroute = '/a'\nstatic_response = { boddy = 'x' }\n\
         [[trigger.http]]\nroute = '/.well-known/spin/x'\ncomponent = 'one'\n\
         [[trigger.http]]\nroute = { private = true }\ncomponent = 'one'\n\
         [component.one]\nsource = 'one.wasm'\n",
        expect![[r#"
            one-http-trigger Public("/a") Component("one")
            http-trigger1 Public("/a") Static(StaticResponse { status_code: 200, headers: {}, body: "" })
            http-trigger2 Public("/.well-known/spin/x") Component("one")
            http-trigger3 Private Component("one")
            component one
            spin.toml:4:9: "/a" is also the route of `http-trigger1`, which wins
              4 | route = '/a'
              help: `one-http-trigger` is never reached; give it another route
            spin.toml:8:21: `boddy` means nothing in a static response
              8 | static_response = { boddy = 'x' }
              help: the keys are status_code, headers and body
            spin.toml:10:9: `/.well-known/spin/` is reserved; this route is never reached
              10 | route = '/.well-known/spin/x'
              help: move the route elsewhere"#]],
    );
}

#[test]
fn debug_shows_nothing_secret() {
    let text = "spin_manifest_version = 2\napplication.name = 'x'\n\
                [variables]\nkey = { secret = true, default = 'hunter2' }\n\
                [[trigger.http]]\nroute = '/'\ncomponent = 'a'\n\
                [component.a]\nsource = 'a.wasm'\n\
                environment = { KEY = 'hunter2' }\nvariables = { key = 'hunter2' }\n";
    let shown = format!("{:?}", App::read(Path::new("spin.toml"), text));
    assert!(shown.starts_with("Ok("), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
