//! What points where: ids are given out, references looked up, templates and hosts checked
//! against the variables. Takes what the other modules read and makes the [`App`] of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component as Part, Path, PathBuf};

use crate::app::{
    Action, App, Component, Dependency, HttpTrigger, Inherit, Origin, Route, Settings, Variable,
};
use crate::grpc::GrpcTrigger;
use crate::hosts::AllowedHosts;
use crate::names::{advice, kebab_flaw};
use crate::template::{Template, Unmatched};
use crate::toml_file::{Report, Span, Text};

use super::application::Application;
use super::component::ComponentDraft;
use super::dependency::{DependencyDraft, Provider};
use super::grpc::{GrpcDraft, GrpcTriggerDraft};
use super::kafka::KafkaDraft;
use super::rings::{self, Link};
use super::start::Filled;
use super::trigger::{ActionDraft, TriggerDraft};

/// A manifest, read table by table.
pub(super) struct Parts<'a> {
    pub(super) report: &'a Report<'a>,
    pub(super) file: &'a Path,
    pub(super) directory: PathBuf,
    pub(super) application: Application<'a>,
    pub(super) variables: Vec<(Text<'a>, Variable)>,
    pub(super) components: Vec<ComponentDraft<'a>>,
    pub(super) triggers: Vec<TriggerDraft<'a>>,
    pub(super) grpc: GrpcDraft<'a>,
    pub(super) kafka: KafkaDraft<'a>,
}

/// Looks everything up; `None` only together with an error in the report.
pub(super) fn settle(mut parts: Parts<'_>) -> Option<App> {
    let ids = trigger_ids(&parts);
    lift_inline_components(&mut parts, &ids);
    let grpc_ids = grpc_trigger_ids(&parts, &ids);
    let linker = Linker::new(&parts);
    linker.check_settings(&parts.application, !parts.grpc.triggers.is_empty());
    parts.components.iter().for_each(|draft| linker.check_component(draft));
    parts.grpc.templates.iter().for_each(|template| linker.check_template(template));
    parts.kafka.templates.iter().for_each(|template| linker.check_template(template));
    rings::refuse(parts.report, &linker.links(&parts.components));
    warn_of_duplicate_routes(&parts, &ids);
    check_users(&parts, &ids);
    let origin = origin(&parts);
    let triggers = parts.triggers.iter().zip(&ids).map(|(draft, id)| linker.trigger(draft, id));
    // Collected twice, so that one bad trigger does not end the search for others.
    let triggers: Vec<Option<HttpTrigger>> = triggers.collect();
    let grpc = parts.grpc.triggers.iter().zip(grpc_ids);
    let grpc: Vec<_> = grpc.map(|(draft, id)| linker.grpc_trigger(draft, id)).collect();
    let components = parts.components.iter().map(|draft| linker.component(draft));
    let components: BTreeMap<_, _> =
        components.map(|component| (component.id.clone(), component)).collect();
    let taken = ids
        .into_iter()
        .chain(grpc.iter().flatten().map(|trigger| trigger.id.clone()))
        .chain(parts.kafka.own_ids().map(|id| id.value.to_owned()))
        .collect();
    let (kafka, kafka_triggers) = parts.kafka.settle(parts.report, &components, taken);
    let Application { name, version, description, settings } = parts.application;
    let listeners = settings.listeners.iter().map(|(id, at)| (id.value.to_owned(), *at));
    Some(App {
        name,
        version,
        description,
        http_triggers: triggers.into_iter().collect::<Option<_>>()?,
        grpc_triggers: grpc.into_iter().collect::<Option<_>>()?,
        grpc: parts.grpc.settings,
        kafka,
        kafka_triggers,
        components,
        settings: Settings { listeners: listeners.collect(), ..settings.settings },
        warnings: Vec::new(),
        origin,
        variables: linker.variables,
        root: parts.directory,
    })
}

/// Users are behind a trigger that nobody reaches from outside: what stands in front of others is
/// not in front of this one.
fn check_users(parts: &Parts<'_>, ids: &[String]) {
    let Some(named) = &parts.application.settings.users_trigger else { return };
    let own = parts.triggers.iter().zip(ids).find(|(_, id)| *id == named.value);
    let is_private = |draft: &TriggerDraft<'_>| matches!(draft.route, Some((Route::Private, _)));
    if !own.is_some_and(|(draft, _)| is_private(draft)) {
        let problem = format!("`{}` is no HTTP trigger with a private route", named.value);
        let help = "add one with `route = { private = true }` for the component that keeps them";
        parts.report.error_help(&named.span, problem, help.to_owned());
    }
}

/// Gives every trigger its id, with Spin's names for those that have none.
fn trigger_ids(parts: &Parts<'_>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let own = parts.triggers.iter().filter_map(|trigger| trigger.id.as_ref());
    for id in own.chain(parts.kafka.own_ids()) {
        if !taken.insert(id.value.to_owned()) {
            parts.report.error(&id.span, format!("two triggers have the id `{}`", id.value));
        }
    }
    let mut counter = 1;
    let mut id_of = |trigger: &TriggerDraft<'_>| {
        if let Some(id) = &trigger.id {
            return id.value.to_owned();
        }
        if let Some(ActionDraft::Component(component)) = &trigger.action {
            let natural = format!("{}-http-trigger", component.value);
            if taken.insert(natural.clone()) {
                return natural;
            }
        }
        loop {
            let numbered = format!("http-trigger{counter}");
            if taken.insert(numbered.clone()) {
                return numbered;
            }
            counter += 1;
        }
    };
    parts.triggers.iter().map(&mut id_of).collect()
}

/// The same for those of gRPC; `others` are the ids that are given already.
fn grpc_trigger_ids(parts: &Parts<'_>, others: &[String]) -> Vec<String> {
    let mut taken: BTreeSet<String> = others.iter().cloned().collect();
    let triggers = &parts.grpc.triggers;
    for id in triggers.iter().filter_map(|trigger| trigger.id.as_ref()) {
        if !taken.insert(id.value.to_owned()) {
            parts.report.error(&id.span, format!("two triggers have the id `{}`", id.value));
        }
    }
    let id_of = |trigger: &GrpcTriggerDraft<'_>| {
        if let Some(id) = &trigger.id {
            return id.value.to_owned();
        }
        let natural = trigger.component.as_ref().map(|id| format!("{}-grpc-trigger", id.value));
        let numbered = (1..).map(|number: u32| format!("grpc-trigger{number}"));
        let mut candidates = natural.into_iter().chain(numbered);
        candidates.find(|id| taken.insert(id.clone())).unwrap_or_default()
    };
    triggers.iter().map(id_of).collect()
}

/// Moves components written inside triggers among the others, under Spin's names for them.
fn lift_inline_components(parts: &mut Parts<'_>, trigger_ids: &[String]) {
    let mut taken: BTreeSet<String> =
        parts.components.iter().map(|draft| draft.component.id.clone()).collect();
    for (trigger, trigger_id) in parts.triggers.iter_mut().zip(trigger_ids) {
        let Some(ActionDraft::Inline(_)) = &trigger.action else { continue };
        let natural = format!("{trigger_id}-component");
        let numbered = (1..).map(|number: u32| format!("inline-component{number}"));
        let id = std::iter::once(natural)
            .filter(|id| kebab_flaw(id).is_none())
            .chain(numbered)
            .find(|id| !taken.contains(id))
            .unwrap_or_default();
        taken.insert(id.clone());
        if let Some(ActionDraft::Inline(mut draft)) =
            trigger.action.replace(ActionDraft::Lifted(id.clone()))
        {
            draft.component.id = id;
            parts.components.push(*draft);
        }
    }
}

/// Spin lets the last of two triggers with one route win, and says so; so does Ward.
fn warn_of_duplicate_routes(parts: &Parts<'_>, ids: &[String]) {
    let mut seen: BTreeMap<&str, (&str, &Span)> = BTreeMap::new();
    for (trigger, id) in parts.triggers.iter().zip(ids) {
        let Some((Route::Public(path), span)) = &trigger.route else { continue };
        if let Some((earlier, place)) = seen.insert(path, (id, span)) {
            let problem = format!("{path:?} is also the route of `{id}`, which wins");
            let help = format!("`{earlier}` is never reached; give it another route");
            parts.report.warn(place, problem, help);
        }
    }
}

/// Places that later steps want to point at. Called when all that is secret is hidden.
fn origin(parts: &Parts<'_>) -> Origin {
    let place = |text: &Text<'_>| parts.report.place(text.span.start);
    let variables = parts.variables.iter();
    let hosts = parts
        .components
        .iter()
        .map(|draft| (draft.component.id.clone(), draft.hosts.iter().map(place).collect()));
    Origin {
        file: parts.file.to_owned(),
        variables: variables.map(|(name, _)| (name.value.to_owned(), place(name))).collect(),
        hosts: hosts.collect(),
    }
}

/// Looks up variables and components.
struct Linker<'a> {
    report: &'a Report<'a>,
    directory: PathBuf,
    variables: BTreeMap<String, Variable>,
    components: BTreeMap<String, Referenced>,
}

/// What a reference to a component needs to know of it.
struct Referenced {
    source: PathBuf,
    grants: Vec<&'static str>,
}

impl<'a> Linker<'a> {
    fn new(parts: &Parts<'a>) -> Linker<'a> {
        let referenced = |draft: &ComponentDraft<'_>| Referenced {
            source: draft.component.source.clone(),
            grants: draft.grants.clone(),
        };
        let components = parts.components.iter();
        let variables = parts.variables.iter();
        Linker {
            report: parts.report,
            directory: parts.directory.clone(),
            variables: variables.map(|(name, v)| (name.value.to_owned(), v.clone())).collect(),
            components: components
                .map(|draft| (draft.component.id.clone(), referenced(draft)))
                .collect(),
        }
    }

    fn check_settings(&self, application: &Application<'_>, has_grpc: bool) {
        for (id, _) in &application.settings.listeners {
            self.find(id);
        }
        let start = &application.settings.start;
        let mut filled = BTreeSet::new();
        for Filled { variable, secret } in &start.filled {
            self.check_name(variable.value, &variable.span);
            if !filled.insert(variable.value) {
                let problem = format!("`{}` would be filled in twice", variable.value);
                self.report.error(&variable.span, problem);
            }
            let declared = self.variables.get(variable.value);
            if *secret && declared.is_some_and(|declared| !declared.secret) {
                let problem = format!("`{}` is to hold a private key", variable.value);
                let help = "say `secret = true` where it is declared, so that it is never shown";
                self.report.error_help(&variable.span, problem, help.to_owned());
            }
        }
        for variable in &start.limited {
            self.check_name(variable.value, &variable.span);
        }
        for guide in start.grpc_guides.iter().filter(|_| !has_grpc) {
            let problem = format!("{:?} names `{{{{ grpc }}}}`", guide.value);
            let help = "there is no [[trigger.grpc]], and so no such address";
            self.report.error_help(&guide.span, problem, help.to_owned());
        }
    }

    fn find(&self, id: &Text<'_>) -> Option<&Referenced> {
        let found = self.components.get(id.value);
        if found.is_none() {
            let ids = self.components.keys().map(String::as_str);
            let problem = format!("there is no component `{}`", id.value);
            self.report.error_help(&id.span, problem, advice(id.value, ids));
        }
        found
    }

    fn check_component(&self, draft: &ComponentDraft<'_>) {
        for template in &draft.templates {
            self.check_template(template);
        }
        for host in &draft.hosts {
            self.check_host(host);
        }
        if let Some(variable) = &draft.database_variable {
            self.check_name(variable.value, &variable.span);
        }
        let own = draft.dependencies.iter().any(|(_, dependency)| dependency.inherit.is_some());
        if let Some((_, span)) = draft.inherit_all.as_ref().filter(|_| own) {
            let problem = "`dependencies_inherit_configuration` and `inherit_configuration` of a \
                           dependency exclude each other";
            let help = "keep `inherit_configuration` on each dependency".to_owned();
            self.report.error_help(span, problem, help);
        }
    }

    fn check_template(&self, text: &Text<'_>) {
        match Template::parse(text.value) {
            Ok(template) => template.names().for_each(|name| self.check_name(name, &text.span)),
            Err(Unmatched) => {
                let help = "write {{ name }}, with the name of a variable of [variables]";
                let problem = "a `{{` has no `}}`";
                self.report.error_help(&text.span, problem, help.to_owned());
            }
        }
    }

    fn check_name(&self, name: &str, span: &Span) {
        if !self.variables.contains_key(name) {
            let declared = self.variables.keys().map(String::as_str);
            let problem = format!("there is no variable `{name}` in [variables]");
            self.report.error_help(span, problem, advice(name, declared));
        }
    }

    /// Checks a host as written or, when every variable in it has a default, with those.
    fn check_host(&self, text: &Text<'_>) {
        let Ok(template) = Template::parse(text.value) else { return };
        let literal = template.names().next().is_none();
        let named = || template.names().filter_map(|name| self.variables.get(name));
        let default =
            |name: &str| self.variables.get(name).and_then(|v| v.default.clone()).ok_or(());
        let Ok(expanded) = template.expand(default) else { return };
        let Err(errors) = AllowedHosts::parse(&[expanded]) else { return };
        for error in errors {
            let problem = if literal {
                error.to_string()
            } else if named().any(|variable| variable.secret) {
                "with the defaults of its variables, this is no allowed host".to_owned()
            } else {
                format!("with the defaults of its variables, {error}")
            };
            self.report.error_help(&text.span, problem, error.help);
        }
    }

    fn trigger(&self, draft: &TriggerDraft<'_>, id: &str) -> Option<HttpTrigger> {
        let middleware: Vec<Option<Dependency>> =
            draft.middleware.iter().map(|draft| self.dependency(draft)).collect();
        let action = match draft.action.as_ref()? {
            ActionDraft::Component(component) => {
                self.find(component)?;
                Action::Component(component.value.to_owned())
            }
            ActionDraft::Lifted(component) => Action::Component(component.clone()),
            ActionDraft::Static(response) => Action::Static(response.clone()),
            // All of them were lifted before.
            ActionDraft::Inline(_) => return None,
        };
        let (route, _) = draft.route.clone()?;
        let middleware = middleware.into_iter().collect::<Option<_>>()?;
        Some(HttpTrigger { id: id.to_owned(), route, action, middleware })
    }

    fn grpc_trigger(&self, draft: &GrpcTriggerDraft<'_>, id: String) -> Option<GrpcTrigger> {
        let component = draft.component.as_ref()?;
        self.find(component)?;
        let trigger = draft.trigger.clone()?;
        Some(GrpcTrigger { id, component: component.value.to_owned(), ..trigger })
    }

    fn component(&self, draft: &ComponentDraft<'_>) -> Component {
        let mut component = draft.component.clone();
        for (name, written) in &draft.dependencies {
            let Some(mut dependency) = self.dependency(written) else { continue };
            dependency.component = self.linked(written);
            if draft.inherit_all.as_ref().is_some_and(|(all, _)| *all) {
                dependency.inherit = Inherit::All;
            }
            component.dependencies.insert(name.value.to_owned(), dependency);
        }
        component
    }

    fn dependency(&self, draft: &DependencyDraft<'_>) -> Option<Dependency> {
        let (name, source) = match &draft.target {
            Provider::Path(path) => (path.value, self.directory.join(path.value)),
            Provider::Component(id) => (id.value, self.component_source(id)?),
        };
        Some(Dependency {
            name: name.to_owned(),
            source,
            export: draft.export.clone(),
            inherit: draft.inherit.clone().unwrap_or(Inherit::Only(Vec::new())),
            component: None,
        })
    }

    /// The component whose file a dependency names by its path. What that component may do is its
    /// own, so its grants are no reason to refuse it here.
    fn linked(&self, draft: &DependencyDraft<'_>) -> Option<String> {
        let Provider::Path(path) = &draft.target else { return None };
        let file = plain(&self.directory.join(path.value));
        let mut owners =
            self.components.iter().filter(|(_, component)| plain(&component.source) == file);
        let (owner, _) = owners.next()?;
        if let Some((other, _)) = owners.next() {
            let problem = format!("the file is that of `{owner}` and of `{other}`");
            let help = "it becomes a part of this component, and calls go to neither of the two";
            self.report.warn(&path.span, problem, help);
            return None;
        }
        Some(owner.clone())
    }

    /// Every live link of the application.
    fn links<'d>(&self, drafts: &'d [ComponentDraft<'_>]) -> Vec<Link<'d>> {
        let links = drafts.iter().flat_map(|draft| {
            draft.dependencies.iter().filter_map(|(name, dependency)| {
                let to = self.linked(dependency)?;
                Some(Link { from: &draft.component.id, to, span: &name.span })
            })
        });
        links.collect()
    }

    /// A dependency on a component is a dependency on its file: what it may do comes from the
    /// component in front of it, so it must not claim anything for itself.
    fn component_source(&self, id: &Text<'_>) -> Option<PathBuf> {
        let referenced = self.find(id)?;
        if !referenced.grants.is_empty() {
            let grants: Vec<String> =
                referenced.grants.iter().map(|grant| format!("`{grant}`")).collect();
            let problem = format!(
                "`{}` cannot be a dependency, because it has permissions of its own: {}",
                id.value,
                grants.join(", ")
            );
            let help = "give them to the component that uses it, and list them in \
                        `inherit_configuration` here";
            self.report.error_help(&id.span, problem, help.to_owned());
        }
        Some(referenced.source.clone())
    }
}

/// A path without `.` and `..`, as far as it says them itself: the files need not exist yet.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Part::CurDir => {}
            Part::ParentDir if matches!(plain.components().next_back(), Some(Part::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
