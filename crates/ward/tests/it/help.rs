//! The help, which is also the reference of the options.

use expect_test::{expect, expect_file};

use crate::check;

#[test]
fn the_commands() {
    check(
        &["--help"],
        expect![[r#"
            code 0
            Runs WASI components described by spin.toml, with PostgreSQL beside them

            Usage: ward <COMMAND>

            Commands:
              up           Start the application and serve it
              build        Build the components, each by the command in spin.toml
              migrate      Bring the databases to the newest migration, and stop
              app          Show the application: triggers, links between components, what each was
                           granted
              doctor       Check what is needed to run, and say what to do about what is missing
              wit          Check the contracts, or print what follows from them
              events       Look at events, send some, and move their consumers
              audit        Look whether audit logs are as they were written, and remove what is old
              user         Add users, list them, disable them, and set their passwords
              keys         Rotate the keys that ward made
              swap         Put another build in the place of a component of a ward that runs, while
                           it serves
              promote      Give a build that is on trial more of what begins, or all
              rollback     Take a build that is on trial back, or put the one before the present one
                           back
              revisions    Show which builds the components of a ward that runs have had
              completions  Print a script that completes ward's commands and options in a shell
              help         Print this message or the help of the given subcommand(s)

            Options:
              -h, --help     Print help
              -V, --version  Print version

            Examples:
              ward up --build --demo     build the components, start everything, load demo data
              ward up --listen 127.0.0.1:8080
              ward doctor                check what this machine lacks, and say what to do

            Exit codes: 0 done, or stopped as asked; 1 something failed; 2 wrong usage; 130 stopped
            at once by a second signal.
        "#]],
    );
}

#[test]
fn up() {
    let shown = crate::ward(tempfile::tempdir().unwrap().path(), &["up", "--help"]);
    expect_file!["snapshots/help_up.txt"].assert_eq(&shown);
}

#[test]
fn build() {
    check(
        &["build", "--help"],
        expect![[r#"
            code 0
            Build the components, each by the command in spin.toml

            Usage: ward build [OPTIONS]

            Options:
              -f, --from <PATH>          The manifest, or the directory it is in [default:
                                         spin.toml]
              -c, --component-id <ID>    Build only this component; may be repeated
              -q, --quiet                Say nothing but warnings and errors; drop what components
                                         print
                  --log-format <FORMAT>  How log lines are written: plain for people, json with one
                                         object a line [default: plain]
              -h, --help                 Print help
        "#]],
    );
}

#[test]
fn migrate() {
    check(
        &["migrate", "--help"],
        expect![[r#"
            code 0
            Bring the databases to the newest migration, and stop

            Usage: ward migrate [OPTIONS]

            Options:
              -f, --from <PATH>
                      The manifest, or the directory it is in [default: spin.toml]
                  --variable <NAME=VALUE>
                      Set a variable: NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml; may be
                      repeated
                  --runtime-config-file <PATH>
                      Where variables and stores come from [env: RUNTIME_CONFIG_FILE=]
                  --state-dir <PATH>
                      Where data, keys and passwords are kept [default: .ward beside the manifest]
                  --database-url <URL>
                      An administrator's address on a PostgreSQL that already runs; roles and
                      databases are made there [env: WARD_DATABASE_URL]
                  --kafka-brokers <ADDRESSES>
                      Kafka brokers for events: HOST:PORT (9092 where it is left out), several with
                      commas between [default: tables in PostgreSQL] [env: WARD_KAFKA_BROKERS]
                  --event-log-url <URL>
                      A PostgreSQL database that several wards keep events in [default: `events`
                      beside the others] [env: WARD_EVENT_LOG_URL]
                  --key-value-url <URL>
                      A PostgreSQL database that several wards keep key-value stores in [default:
                      `key_value` beside the others] [env: WARD_KEY_VALUE_URL]
              -q, --quiet
                      Say nothing but warnings and errors; drop what components print
                  --log-format <FORMAT>
                      How log lines are written: plain for people, json with one object a line
                      [default: plain]
              -h, --help
                      Print help
        "#]],
    );
}

#[test]
fn doctor() {
    check(
        &["doctor", "--help"],
        expect![[r#"
            code 0
            Check what is needed to run, and say what to do about what is missing

            Usage: ward doctor [OPTIONS]

            Options:
              -f, --from <PATH>
                      The manifest, or the directory it is in [default: spin.toml]
                  --format <FORMAT>
                      How findings are written: text for people, json with one object [default:
                      text]
                  --fix
                      Mend what can be mended: add the wasm target, install PostgreSQL
                  --only <CHECKS>
                      Check only these, separated by commas: manifest, toolchain, target,
                      components, memory, postgresql, broker, ports, state
                  --variable <NAME=VALUE>
                      Set a variable: NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml; may be
                      repeated
                  --runtime-config-file <PATH>
                      Where variables and stores come from [env: RUNTIME_CONFIG_FILE=]
                  --state-dir <PATH>
                      Where data, keys and passwords are kept [default: .ward beside the manifest]
                  --database-url <URL>
                      An administrator's address on a PostgreSQL that already runs; roles and
                      databases are made there [env: WARD_DATABASE_URL]
                  --kafka-brokers <ADDRESSES>
                      Kafka brokers for events: HOST:PORT (9092 where it is left out), several with
                      commas between [default: tables in PostgreSQL] [env: WARD_KAFKA_BROKERS]
                  --event-log-url <URL>
                      A PostgreSQL database that several wards keep events in [default: `events`
                      beside the others] [env: WARD_EVENT_LOG_URL]
                  --key-value-url <URL>
                      A PostgreSQL database that several wards keep key-value stores in [default:
                      `key_value` beside the others] [env: WARD_KEY_VALUE_URL]
              -h, --help
                      Print help
        "#]],
    );
}

#[test]
fn version() {
    check(
        &["--version"],
        expect![[r#"
        code 0
        ward 0.1.0
    "#]],
    );
}
