//! What is wrong with settings of Ward's own, as people see it.

use expect_test::expect;

use crate::manifest_errors::check_rest;

#[test]
fn settings_of_the_application() {
    check_rest(
        "[application.tool.ward]\nlisten = 'localhost'\nlisteners = { mian = '127.0.0.1:1' }\n\
         lissten = 1\ntrusted_proxies = ['10.0.0.0/8', 'proxy']\npeer_share_percent = 0\n\
         tls = { cert = 'a.pem' }\nguest_memory = '1GB2'\n\
         key_value = { 'a b' = 'file', default = 'postgress' }\n\
         [application.tool.other]\nanything = 1",
        expect![[r#"
            spin.toml:11:10: "localhost" is not an address to listen on
              11 | listen = 'localhost'
              help: write an IP address and a port, as in "127.0.0.1:4004"
            spin.toml:12:15: there is no component `mian`
              12 | listeners = { mian = '127.0.0.1:1' }
              help: did you mean `main`?
            spin.toml:13:1: unknown key `lissten`
              13 | lissten = 1
              help: did you mean `listen`?
            spin.toml:14:34: "proxy" is no network
              14 | trusted_proxies = ['10.0.0.0/8', 'proxy']
              help: write an address or a network, such as "10.0.0.0/8"
            spin.toml:15:22: `peer_share_percent` must be between 1 and 100
              15 | peer_share_percent = 0
            spin.toml:16:7: `key` is missing here; it must be a string
              16 | tls = { cert = 'a.pem' }
            spin.toml:17:16: `guest_memory` must be a size between 1MiB and 1024GiB
              17 | guest_memory = '1GB2'
              help: write a number of bytes, or a string such as "1MiB"
            spin.toml:18:15: "a b" is no label: words are letters and digits with dashes
            … between, each in one case
              18 | key_value = { 'a b' = 'file', default = 'postgress' }
            spin.toml:18:41: key-value stores are not kept in "postgress"
              18 | key_value = { 'a b' = 'file', default = 'postgress' }
              help: did you mean `postgres`?"#]],
    );
}

#[test]
fn settings_of_a_component() {
    check_rest(
        "[component.main.tool.ward]\nmemory_limit = '64'\ndeadline = '0s'\nstream_deadline = '0s'\n\
         idle_instance_timeout = 'soon'\nmax_instance_reuse_count = 0\n\
         max_instance_concurrent_reuse_count = -1\nmax_concurrent_requests = 0\nmemory = 1\n\
         [component.main.tool.ward.database]\nname = 'Bad-Name'\nvariable = 'db_url'",
        expect![[r#"
            spin.toml:11:16: `memory_limit` must be a size between 64KiB and 4GiB
              11 | memory_limit = '64'
              help: write a number of bytes, or a string such as "1MiB"
            spin.toml:12:12: with a `deadline` of zero no request could be answered
              12 | deadline = '0s'
            spin.toml:13:19: with a `stream_deadline` of zero no response could have a body
              13 | stream_deadline = '0s'
            spin.toml:14:25: `idle_instance_timeout` must be a duration, and "soon" is none
              14 | idle_instance_timeout = 'soon'
              help: write a number with ms, s, m or h, as in "30s"
            spin.toml:15:28: `max_instance_reuse_count` must be at least 1 and fit 32 bits
              15 | max_instance_reuse_count = 0
            spin.toml:16:39: `max_instance_concurrent_reuse_count` must be at least 1 and
            … fit 32 bits
              16 | max_instance_concurrent_reuse_count = -1
            spin.toml:17:27: `max_concurrent_requests` must be at least 1 and fit 32 bits
              17 | max_concurrent_requests = 0
            spin.toml:18:1: unknown key `memory`
              18 | memory = 1
              help: the keys here are memory_limit, deadline, stream_deadline,
            … max_instance_reuse_count, max_instance_concurrent_reuse_count,
            … max_concurrent_requests, idle_instance_timeout, spin_headers, database,
            … inherited_only
            spin.toml:19:1: `migrations` is missing here; it must be a string
              19 | [component.main.tool.ward.database]
            spin.toml:20:8: "Bad-Name" cannot name a database and a role
              20 | name = 'Bad-Name'
              help: use lower-case letters, digits and underscores, a letter first, 57 at
            … most
            spin.toml:21:12: there is no variable `db_url` in [variables]
              21 | variable = 'db_url'
              help: there is `db_host`"#]],
    );
}
