//! From an application to what is served: for each trigger the service that is derived from its
//! interface, and for each method the function that answers. What does not change from call to
//! call is made here.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ward_manifest::{App, FunctionName, GrpcTrigger};
use ward_wire::{Contract, Method, Naming, Service};

use crate::access::{self, Access};
use crate::caller;
use crate::reflection::Index;
use crate::request_log::Label;

/// A trigger that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferError {
    /// The trigger's id.
    pub trigger: String,
    /// What is wrong, with the place in the contract where that is known.
    pub problem: String,
}

impl fmt::Display for OfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trigger `{}`: {}", self.trigger, self.problem)
    }
}

impl std::error::Error for OfferError {}

/// What is served: services with their methods.
#[derive(Debug)]
pub struct Offer<I> {
    pub(crate) services: Vec<Service>,
    /// By path: `/service/Method`.
    pub(crate) endpoints: HashMap<Box<str>, Arc<Endpoint<I>>>,
    /// What reflection knows.
    pub(crate) index: Arc<Index>,
}

/// One method.
#[derive(Debug)]
pub(crate) struct Endpoint<I> {
    pub(crate) method: Arc<Method>,
    pub(crate) function: I,
    /// What its component is told by of calls that were refused.
    pub(crate) refused: Option<I>,
    /// What its component is told of the caller.
    pub(crate) caller: Arc<[caller::Field]>,
    pub(crate) label: Arc<Label>,
    /// The longest its component may take.
    pub(crate) deadline: Duration,
    /// Who may call it.
    pub(crate) access: Access,
}

/// Descriptors of all services.
fn index_of(services: &[Service]) -> Result<Index, String> {
    let services: Vec<&Service> = services.iter().collect();
    let set = ward_wire::merge(&services).map_err(|refusals| {
        refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    })?;
    Index::new(set, tonic_health::pb::FILE_DESCRIPTOR_SET)
}

impl<I> Offer<I> {
    /// What `app` serves. `contract` reads what a component exports, by the component's id;
    /// `function` finds a function by component, interface and name.
    ///
    /// # Errors
    /// Everything that cannot be served, of all triggers.
    pub fn new(
        app: &App,
        mut contract: impl FnMut(&str) -> Result<Contract, String>,
        function: impl Fn(&str, &str, &str) -> Option<I>,
    ) -> Result<Self, Vec<OfferError>> {
        let index = Arc::default();
        let mut offer = Self { services: Vec::new(), endpoints: HashMap::new(), index };
        let mut contracts = BTreeMap::new();
        let mut errors = Vec::new();
        for trigger in &app.grpc_triggers {
            let component = trigger.component.as_str();
            let contract = contracts.entry(component).or_insert_with(|| contract(component));
            let served = match contract {
                Ok(contract) => offer.add(app, trigger, contract, &function),
                Err(problem) => Err(vec![problem.clone()]),
            };
            let error = |problem| OfferError { trigger: trigger.id.clone(), problem };
            errors.extend(served.err().into_iter().flatten().map(error));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        offer.index = Arc::new(index_of(&offer.services).map_err(|problem| {
            let triggers: Vec<&str> = app.grpc_triggers.iter().map(|it| it.id.as_str()).collect();
            let problem = format!("cannot be described together: {problem}");
            vec![OfferError { trigger: triggers.join("`, `"), problem }]
        })?);
        Ok(offer)
    }

    /// The services' full names, in the order of their triggers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(Service::full_name)
    }

    fn add(
        &mut self,
        app: &App,
        trigger: &GrpcTrigger,
        contract: &Contract,
        function: impl Fn(&str, &str, &str) -> Option<I>,
    ) -> Result<(), Vec<String>> {
        let naming = Naming {
            package: trigger.package.clone(),
            service: trigger.service.clone(),
            ambient: app.grpc.caller.iter().map(ToString::to_string).collect(),
        };
        let service = Service::derive(contract, &trigger.interface, &naming)
            .map_err(|refusals| refusals.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        if self.names().any(|name| name == service.full_name()) {
            let name = service.full_name();
            return Err(vec![format!("another trigger serves `{name}`; give one of them a name")]);
        }
        let caller: Arc<[_]> = caller::fields(app.grpc.caller.as_ref(), contract)
            .map_err(|problem| vec![problem])?
            .into();
        let settings = app.components.get(&trigger.component).map(|found| &found.settings);
        let deadline = settings.map_or(Duration::ZERO, |settings| settings.deadline);
        let functions = service.methods().iter().map(|method| method.function());
        let mut problems = access::unknown(trigger, functions);
        let told = app.grpc.refused.as_ref().filter(|_| !trigger.public);
        let refused =
            |it: &FunctionName| function(trigger.component.as_str(), &it.interface, &it.function);
        if let Some(name) = told.filter(|name| refused(name).is_none()) {
            problems.push(format!(
                "`{}` does not export `{name}`, which `refused` names",
                trigger.component
            ));
        }
        for method in service.methods() {
            let (component, interface) = (trigger.component.as_str(), service.interface());
            let Some(function) = function(component, interface, method.function()) else {
                let name = method.function();
                problems.push(format!("`{component}` does not export `{interface}` `{name}`"));
                continue;
            };
            let rpc: Box<str> = method.path().into();
            let label = Label { rpc: rpc.clone(), component: component.into() };
            let endpoint = Endpoint {
                method: Arc::new(method.clone()),
                function,
                refused: told.and_then(refused),
                caller: caller.clone(),
                label: Arc::new(label),
                deadline,
                access: Access::of(trigger, method.function()),
            };
            self.endpoints.insert(rpc, Arc::new(endpoint));
        }
        self.services.push(service);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}
