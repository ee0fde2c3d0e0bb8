//! What is served as it is. Nothing here is read at run time.

/// A text, and what it is.
#[derive(Debug)]
pub(crate) struct File {
    /// The last part of its path.
    pub(crate) name: &'static str,
    pub(crate) media: &'static str,
    pub(crate) text: &'static str,
}

const JSON: &str = "application/json";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

const fn file(name: &'static str, media: &'static str, text: &'static str) -> File {
    File { name, media, text }
}

/// The documents: OpenAPI of services, AsyncAPI of topics, and protobuf of what gRPC serves.
pub(crate) const DOCUMENTS: [File; 7] = [
    file("patients", JSON, include_str!("../../../docs/api/patients.json")),
    file("auth", JSON, include_str!("../../../docs/api/auth.json")),
    file("billing", JSON, include_str!("../../../docs/api/billing.json")),
    file("analytics", JSON, include_str!("../../../docs/api/analytics.json")),
    file("events", JSON, include_str!("../../../docs/api/events.json")),
    file("accounts.proto", TEXT, include_str!("../../../docs/api/accounts.proto")),
    file("billing_service.proto", TEXT, include_str!("../../../docs/api/billing_service.proto")),
];

/// What pages load.
pub(crate) const ASSETS: [File; 5] = [
    file("pages.css", STYLE, include_str!("pages/pages.css")),
    file("start.js", SCRIPT, include_str!("pages/start.js")),
    file(
        "swagger-ui-bundle.js",
        SCRIPT,
        include_str!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    ),
    file(
        "swagger-ui-standalone-preset.js",
        SCRIPT,
        include_str!(concat!(env!("OUT_DIR"), "/swagger-ui-standalone-preset.js")),
    ),
    file("swagger-ui.css", STYLE, include_str!(concat!(env!("OUT_DIR"), "/swagger-ui.css"))),
];
