//! `ward user`: the application's users, for whoever may read its secrets; the first administrator
//! comes from here. Works beside a ward that runs and without one.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::application::Application;
use crate::cli::{LogFormat, OutputArgs, UserArgs, UserCommand, UserListFormat};
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::provision::{Provision, Values, is_running, of_running};
use crate::schema;
use crate::users::{self, Directory};

/// Does what the command line says.
pub(crate) fn run(args: &UserArgs) -> Result<ExitCode, Failure> {
    crate::logging::start(&OutputArgs { quiet: true, log_format: LogFormat::Plain })?;
    let application = Application::load_from(&args.from.from, &args.config)?;
    users::settings(&application.app)?;
    // Asked for before anything is started.
    let password = match &args.command {
        UserCommand::Add(_) | UserCommand::SetPassword(_) => Some(password()?),
        UserCommand::List(_) | UserCommand::Disable(_) => None,
    };
    let runtime = super::runtime()?;
    runtime.block_on(carry_out(&application, args, password)).map(|()| ExitCode::SUCCESS)
}

async fn carry_out(
    application: &Application,
    args: &UserArgs,
    password: Option<String>,
) -> Result<(), Failure> {
    if is_running(application) {
        let (values, key_value) = of_running(application, &args.config)?;
        return command(application, (&values, key_value.as_deref()), args, password).await;
    }
    let provision = Provision::quietly(application, &args.config).await?;
    let done = async {
        let variables = application.variables(&provision.made.values)?;
        schema::prepare(application, &variables, &provision.made, false, Progress::Quiet).await?;
        let key_value = provision.made.key_value.as_deref();
        command(application, (&provision.made.values, key_value), args, password).await
    };
    let done = done.await;
    // Stopped after a failure, too; the failure is the news then.
    done.and(provision.stop(Progress::Quiet).await)
}

async fn command(
    application: &Application,
    provided: (&Values, Option<&str>),
    args: &UserArgs,
    password: Option<String>,
) -> Result<(), Failure> {
    let directory = Directory::open(application, provided).await?;
    match &args.command {
        UserCommand::Add(add) => {
            let name = add.name.as_ref().unwrap_or(&add.email);
            let user = json!({
                "email": add.email, "name": name, "role": add.role, "password": password,
            });
            let user = directory.add(&user).await?;
            output::print(&format!("added {}\n", line(&user)))
        }
        UserCommand::List(list) => shown(&directory.list().await?, list.format),
        UserCommand::Disable(user) => {
            let change = |user: &mut Value| user["disabled"] = json!(true);
            let user = directory.change(&user.email, change).await?;
            output::print(&format!("disabled {}\n", line(&user)))
        }
        UserCommand::SetPassword(user) => {
            let change = |user: &mut Value| user["password"] = json!(password);
            let user = directory.change(&user.email, change).await?;
            output::print(&format!("new password for {}\n", line(&user)))
        }
    }
}

/// The password: asked for twice without echo where somebody sits there, and otherwise a line of
/// standard input. Never an argument, which everybody on the machine could read.
fn password() -> Result<String, Failure> {
    let failed = || Failure::because("reading the password");
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(failed())?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
    }
    let password = rpassword::prompt_password("password: ").map_err(failed())?;
    let again = rpassword::prompt_password("again: ").map_err(failed())?;
    match password == again {
        true => Ok(password),
        false => Err(Failure::new("these were two different passwords; nothing was changed")),
    }
}

fn shown(users: &[Value], format: UserListFormat) -> Result<(), Failure> {
    match format {
        UserListFormat::Table => {
            let lines = users.iter().map(|user| format!("{}\n", line(user)));
            output::print(&lines.collect::<String>())
        }
        UserListFormat::Json => output::print(&format!("{}\n", Value::from(users))),
    }
}

/// `ADMIN  ann@example.com  Ann Lee`, and whether the user is disabled.
fn line(user: &Value) -> String {
    let text = |name: &str| user[name].as_str().unwrap_or("-");
    let disabled = if user["disabled"] == true { "  (disabled)" } else { "" };
    format!("{:12}  {}  {}{disabled}", text("role"), text("email"), text("name"))
}
