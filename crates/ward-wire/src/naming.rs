//! Names: how WIT's kebab-case becomes what protobuf's style guide asks for, and what a trigger may
//! say about it.

use wit_parser::PackageName;

/// How names are chosen for one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Naming {
    /// The protobuf package of the interface's WIT package. `None`: derived from its name and
    /// version, `shop:orders@1.0.0` → `shop.orders.v1`. Empty: no package. Types that are used from
    /// other WIT packages are always in the package derived from theirs.
    pub package: Option<String>,
    /// The service's name. `None`: the interface's name in UpperCamel.
    pub service: Option<String>,
    /// Record types that the trigger supplies and that are left out of messages, such as
    /// `shop:common/types.caller`. Without a version they are meant in every version.
    pub ambient: Vec<String>,
}

/// `order-service` → `OrderService`.
pub(crate) fn upper_camel(kebab: &str) -> String {
    let mut name = String::with_capacity(kebab.len());
    for word in kebab.split('-') {
        let mut chars = word.chars();
        name.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        name.extend(chars.map(|c| c.to_ascii_lowercase()));
    }
    name
}

/// `order-id` → `order_id`.
pub(crate) fn lower_snake(kebab: &str) -> String {
    kebab.replace('-', "_").to_ascii_lowercase()
}

/// `account-status` → `ACCOUNT_STATUS`.
pub(crate) fn upper_snake(kebab: &str) -> String {
    kebab.replace('-', "_").to_ascii_uppercase()
}

/// `order_id` → `orderId`, by protoc's own rule, so that the text need not say it.
pub(crate) fn json_name(snake: &str) -> String {
    let mut name = String::with_capacity(snake.len());
    let mut upper = false;
    for c in snake.chars() {
        if c == '_' {
            upper = true;
        } else {
            name.push(if upper { c.to_ascii_uppercase() } else { c });
            upper = false;
        }
    }
    name
}

/// `shop:orders@1.2.0` → `shop.orders.v1`. Versions that may break each other get packages of their
/// own: below 1.0 the minor version counts, below 0.1 the patch, and so does a pre-release.
pub(crate) fn package(name: &PackageName) -> String {
    let mut package = format!("{}.{}", lower_snake(&name.namespace), lower_snake(&name.name));
    if let Some(version) = &name.version {
        let track = PackageName::version_compat_track_string(version);
        package.push_str(".v");
        package.extend(track.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    }
    package
}

/// Where the .proto file of a WIT package in this protobuf package is, as protobuf's tools like it:
/// `shop/orders/v1/orders.proto`.
pub(crate) fn file(name: &PackageName, package: &str) -> String {
    let mut file = package.replace('.', "/");
    if !file.is_empty() {
        file.push('/');
    }
    file.push_str(&lower_snake(&name.name));
    file.push_str(".proto");
    file
}

/// Whether protobuf takes this as the name of a service.
pub(crate) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether protobuf takes this as the name of a package.
pub(crate) fn is_package(name: &str) -> bool {
    name.is_empty() || name.split('.').all(is_identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kebab: &str, expected: [&str; 4]) {
        let snake = lower_snake(kebab);
        let names = [upper_camel(kebab), snake.clone(), upper_snake(kebab), json_name(&snake)];
        assert_eq!(names, expected);
    }

    #[test]
    fn names_follow_protobufs_style() {
        check("order-id", ["OrderId", "order_id", "ORDER_ID", "orderId"]);
        check("get-HTTP-url", ["GetHttpUrl", "get_http_url", "GET_HTTP_URL", "getHttpUrl"]);
        check("x", ["X", "x", "X", "x"]);
        check("line2-b", ["Line2B", "line2_b", "LINE2_B", "line2B"]);
    }

    #[test]
    fn packages_follow_the_version() {
        let check = |version: Option<&str>, expected: &str| {
            let version = version.map(|v| v.parse().unwrap());
            let name = PackageName { namespace: "my-ns".into(), name: "my-pkg".into(), version };
            assert_eq!(package(&name), expected);
        };
        check(None, "my_ns.my_pkg");
        check(Some("1.0.0"), "my_ns.my_pkg.v1");
        check(Some("12.3.4"), "my_ns.my_pkg.v12");
        check(Some("0.2.6"), "my_ns.my_pkg.v0_2");
        check(Some("0.0.3"), "my_ns.my_pkg.v0_0_3");
        check(Some("1.0.0-rc.1"), "my_ns.my_pkg.v1_0_0_rc_1");
    }
}
