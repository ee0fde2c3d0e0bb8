//! `ward keys rotate`: new keys in the place of those that ward made.

use std::process::ExitCode;

use crate::application::Application;
use crate::cli::{KeysArgs, KeysCommand};
use crate::failure::Failure;
use crate::{keys, output, provision};

/// Does what the command line says.
pub(crate) fn run(args: &KeysArgs) -> Result<ExitCode, Failure> {
    let KeysCommand::Rotate = args.command;
    let application = Application::load_from(&args.from.from, &args.config)?;
    let own = keys::missing(&application, &provision::given(&application)?)?;
    if own.is_empty() {
        return Err(Failure::new("there are no keys here that ward made")
            .help("keys that are given in variables are rotated where they are kept"));
    }
    std::fs::create_dir_all(&application.state)
        .map_err(Failure::because(format!("creating {}", application.state.display())))?;
    for pair in own {
        keys::rotate(&application.state, pair)?;
        output::print(&format!(
            "{}: another key signs from the next start on; what the last one signed stays good\n",
            pair.private_key
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
