//! `ward up`: everything from the manifest to serving, in the order that lets mistakes show before
//! slow things start, and back down in the opposite order.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use ward_events::EventsOptions;
use ward_http::Server;
use ward_manifest::{App, Variables};
use ward_runtime::{Function, Host, HostOptions, HttpHandler, LinkKind, Release};

use super::build::build;
use crate::application::Application;
use crate::cli::UpArgs;
use crate::events::Written;
use crate::failure::Failure;
use crate::ops::{self, Metrics, Ops, Ready as Readiness, Token};
use crate::progress::{Progress, seconds};
use crate::provision::Provision;
use crate::releases::{Counted, Releases};
use crate::serving::Serving;
use crate::signals::Stop;
use crate::{database, events, grpc, guide, output, ports, schema, watch};

/// How long is waited, when all has been answered, for what components do after that: they write
/// down whom they refused and told, a second late, and for two seconds where their database is
/// slow.
const AFTER_ANSWERS_MAX: Duration = Duration::from_secs(3);

/// How long abandoned work may hold up the end of the process.
const LEFTOVERS_MAX: Duration = Duration::from_secs(1);

/// Serves until asked to stop.
pub(crate) fn run(args: &UpArgs) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    crate::logging::start(&args.output)?;
    let progress = Progress::new(&args.output);
    let mut application = Application::load(&args.from, &args.config)?;
    ports::apply(&mut application.app.settings, args.listen, args.no_listeners);
    grpc::apply(&mut application.app, args.listen, args.grpc_listen);
    let grpc = grpc::address(&application.app);
    let ops = ops::address(args.ops, args.listen);
    ports::check(&application.app.settings, grpc, Some(ops))?;
    let serving = Serving::new(args, &application.app)?;
    if args.build || args.watch {
        build(&application.app, &[], progress)?;
    }
    check_built(&application.app)?;
    let runtime = super::runtime()?;
    let result = runtime.block_on(Up { args, application, serving, progress, started }.run());
    runtime.shutdown_timeout(LEFTOVERS_MAX);
    result.map(|()| ExitCode::SUCCESS)
}

/// Names the first wasm file that is not there.
fn check_built(app: &App) -> Result<(), Failure> {
    let missing = app.components.values().find(|component| !component.source.exists());
    missing.map_or(Ok(()), |component| {
        let source = relative(&component.source, &app.root);
        let text = format!("component {}: {} is not there", component.id, source.display());
        Err(Failure::new(text).help("build it first: `ward up --build`, or `ward build`"))
    })
}

fn relative<'a>(path: &'a Path, root: &Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

struct Up<'a> {
    args: &'a UpArgs,
    application: Application,
    serving: Serving,
    progress: Progress,
    started: Instant,
}

/// An application that has been loaded, with its listeners open.
struct Ready {
    server: Server<Counted<HttpHandler>>,
    grpc: Option<ward_grpc::Server<Counted<Function>>>,
    events: Option<EventsOptions>,
    ops: ops::Server,
    releases: Arc<Releases>,
    host: Arc<Host>,
}

impl Up<'_> {
    async fn run(self) -> Result<(), Failure> {
        let stop = Stop::on_signals()?;
        let (config, progress) = (&self.args.config, self.progress);
        let provision = Provision::new(&self.application, config, progress, &stop).await?;
        let Some(provision) = provision else { return Ok(()) };
        let served = self.serve(&provision, stop).await;
        // Stopped after a failure, too; the failure is the news then.
        let stopped = provision.stop(progress).await;
        served.and(stopped)
    }

    async fn serve(&self, provision: &Provision, stop: Stop) -> Result<(), Failure> {
        let ready = tokio::select! {
            biased;
            () = stop.clone().requested() => return Ok(()),
            ready = self.prepare(provision, &stop) => ready?,
        };
        self.announce(&ready)?;
        let events = events::start(ready.events);
        let grpc = async {
            match ready.grpc {
                Some(server) => server.run(stop.clone().requested()).await.cut,
                None => 0,
            }
        };
        let ops = ready.ops.run(std::future::pending());
        let watching = self.args.watch.then(|| tokio::spawn(watch::run(ready.releases)));
        let serving = async { tokio::join!(ready.server.run(stop.clone().requested()), grpc) };
        // Operators are answered until the others have ended.
        let (drained, calls_cut) = tokio::select! {
            served = serving => served,
            _ = ops => return Ok(()),
        };
        if let Some(watching) = watching {
            watching.abort();
        }
        if tokio::time::timeout(AFTER_ANSWERS_MAX, ready.host.rest()).await.is_err() {
            tracing::warn!("components were still at work after all was answered");
        }
        if let Some(events) = events {
            events.stop().await;
        }
        if drained.cut + calls_cut > 0 {
            tracing::warn!(cut = drained.cut + calls_cut, "requests were cut at the deadline");
        }
        Ok(())
    }

    /// Migrations and loading do not need each other, so they go on at the same time.
    async fn prepare(&self, provision: &Provision, stop: &Stop) -> Result<Ready, Failure> {
        let variables = Arc::new(self.application.variables(&provision.made.values)?);
        let written = Written::of(&self.application.app);
        let (migrated, loaded) = tokio::join!(
            schema::prepare(
                &self.application,
                &variables,
                &provision.made,
                self.args.demo,
                self.progress
            ),
            self.load(variables.clone(), &written, provision.made.key_value.as_deref()),
        );
        migrated?;
        let (host, release) = loaded?;
        let app = &self.application.app;
        let host = Arc::new(host);
        let releases = Releases::new(host.clone(), release)?;
        let metrics = Metrics::default();
        let options = ward_http::Options {
            limits: self.serving.limits(ward_http::Limits::default()),
            tls: self.serving.tls.clone(),
            proxies: self.serving.proxies.clone(),
            metrics: metrics.http.clone(),
            origins: app.settings.cors_origins.clone(),
            local_names_only: self.args.demo,
        };
        let server = Server::bind(ward_http::listeners(app), &releases.routes(), options)
            .map_err(|error| Failure::new(error).help("choose another address with --listen"))?;
        let served = (&self.serving, &metrics.grpc);
        let grpc = grpc::bind(&host, releases.offer(), &variables, served).await?;
        let log = provision.made.event_log.as_deref();
        let events = (log, &metrics.events);
        let events = events::prepare(app, &variables, &releases, &written, events)?;
        let registry = metrics.registry(&host, events.as_ref().map(|events| &events.log));
        let is_essential = app.kafka.as_ref().is_some_and(|kafka| kafka.essential);
        let log = events.as_ref().filter(|_| is_essential).map(|events| events.log.clone());
        let ready = Readiness {
            stop: stop.clone(),
            databases: self.databases(&variables),
            log,
            last: Mutex::default(),
        };
        let token = Token::load_or_generate(&self.application.state)?;
        let address = ops::address(self.args.ops, self.args.listen);
        let local_names_only = address.ip().is_loopback();
        let ops = Ops { registry, ready, releases: releases.clone(), token, local_names_only };
        let ops = ops::bind(address, self.serving.tls.clone(), ops)?;
        Ok(Ready { server, grpc, events, ops, releases, host })
    }

    /// Each service's database, by name, with its address.
    fn databases(&self, variables: &Variables) -> Vec<(String, String)> {
        let databases = self.application.databases().into_iter();
        let reached = databases.filter_map(|database| {
            let url = variables.app_value(&database.variable)?;
            Some((database.name.clone(), url.to_owned()))
        });
        reached.collect()
    }

    async fn load(
        &self,
        variables: Arc<Variables>,
        written: &Written,
        key_value: Option<&str>,
    ) -> Result<(Host, Release), Failure> {
        let phase = self.progress.phase("loading components");
        let app = Arc::new(self.application.app.clone());
        let options = HostOptions {
            state_dir: self.application.state.clone(),
            config: self.application.config.clone(),
            key_value: key_value.map(database::key_value).transpose()?,
            environment: self.args.env.iter().cloned().collect(),
            quiet: self.args.output.quiet,
            outbox_bell: written.bell(),
        };
        let load = move || {
            let host = Host::open(app, variables, options)?;
            let release = host.load()?;
            host.sweep(&release);
            Ok::<_, ward_runtime::LoadError>((host, release))
        };
        let loading = tokio::task::spawn_blocking(load);
        let (host, release) = loading.await.map_err(Failure::because("loading components"))??;
        phase.done(&summary(&release));
        for line in link_lines(&release) {
            self.progress.say(&line);
        }
        Ok((host, release))
    }

    /// Says where it serves and what to try, on standard output.
    fn announce(&self, ready: &Ready) -> Result<(), Failure> {
        let took = self.started.elapsed();
        let bound = ready.server.bound();
        let grpc = ready.grpc.as_ref().map(|server| ("grpc", server.address(), server.is_tls()));
        let ops = ready.ops.addresses().first().map(|at| ("ops", *at, ready.ops.is_tls()));
        let others: Vec<(&str, SocketAddr, bool)> = grpc.into_iter().chain(ops).collect();
        match self.progress {
            Progress::Quiet => Ok(()),
            Progress::Log => {
                let http = bound.iter().map(|b| (b.component.as_deref(), b.address));
                let http = http.map(|(component, at)| (component.unwrap_or("gateway"), at));
                let others = others.into_iter().map(|(name, at, _)| (name, at));
                for (listener, address) in http.chain(others) {
                    tracing::info!(listener, %address, "serving");
                }
                Ok(())
            }
            Progress::Lines | Progress::Terminal => {
                let guide = guide::text(&self.application.app, bound, &others, self.args.demo);
                output::print(&format!("ready ({} in all)\n{guide}", seconds(took)))
            }
        }
    }
}

/// `3 components loaded, 2 of them from cache`.
fn summary(release: &Release) -> String {
    let loaded = release.loaded();
    let (all, cached) = (loaded.len(), loaded.iter().filter(|component| component.cached).count());
    let noun = if all == 1 { "component" } else { "components" };
    match cached {
        0 => format!("{all} {noun} compiled"),
        _ if cached == all => format!("{all} {noun} loaded, from cache"),
        _ => format!("{all} {noun} loaded, {cached} from cache"),
    }
}

/// `shop calls stock`, or what became a part of what and why; each said once.
fn link_lines(release: &Release) -> Vec<String> {
    let mut lines = Vec::new();
    for component in release.loaded() {
        for link in &component.links {
            let line = match &link.kind {
                LinkKind::Live => format!("{} calls {}", component.id, link.target),
                LinkKind::Composed { reason } => {
                    format!("{} contains {} ({reason})", component.id, link.target)
                }
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}
