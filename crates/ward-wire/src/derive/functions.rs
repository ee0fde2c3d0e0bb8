//! What functions become: a request of their parameters, a response of their result, and the names
//! of their failures.

use std::sync::Arc;

use wit_parser::{Function, FunctionKind, InterfaceId, Type, TypeDefKind};

use super::{ContractPosition, Deriver, Member, Origin, Outline};
use crate::contract::definition;
use crate::document::{MethodItem, ServiceItem};
use crate::failure::{Errors, Unsayable};
use crate::method::{Method, Parameter};
use crate::naming;
use crate::plan::{MessagePlan, Shape};

impl Deriver<'_> {
    /// Derives the service of an interface: its full name and its methods.
    pub(crate) fn service(&mut self, interface: InterfaceId) -> Option<(String, Vec<Method>)> {
        let contract = self.contract;
        let found = contract.resolve.interfaces.get(interface)?;
        let place = ContractPosition {
            span: found.span,
            path: contract.path(interface),
            package: self.main,
            depth: 0,
        };
        if found.functions.is_empty() {
            self.refuse(&place, "it has no functions, so there is no service to make of it");
            return None;
        }
        let derived = || naming::upper_camel(found.name.as_deref().unwrap_or_default());
        let name = self.naming.service.clone().unwrap_or_else(derived);
        let full_name = self.qualify(&place, &name);
        let origin = Origin::Made("the service".to_owned());
        self.claim(&place, &full_name, origin);
        let mut methods = Vec::new();
        let mut items = Vec::new();
        for function in found.functions.values() {
            let place = place.inside(&function.name, function.span);
            let Some(method) = self.method(&place, &full_name, function) else { continue };
            items.push(MethodItem {
                name: method.name.clone(),
                docs: function.docs.contents.clone(),
                input: method.request.full_name.clone(),
                output: method.response.full_name.clone(),
            });
            methods.push(method);
        }
        let docs = found.docs.contents.clone();
        let (file, _) = self.file(self.main);
        if let Some(draft) = self.files.get_mut(file) {
            draft.services.push(ServiceItem { name, docs, methods: items });
        }
        Some((full_name, methods))
    }

    /// Derives the message of a record.
    pub(crate) fn record(
        &mut self,
        interface: InterfaceId,
        record: &str,
    ) -> Option<Arc<MessagePlan>> {
        let contract = self.contract;
        let found = contract.resolve.interfaces.get(interface)?;
        let path = contract.path(interface);
        let place = ContractPosition { span: found.span, path, package: self.main, depth: 0 };
        let Some(id) = found.types.get(record) else {
            self.refuse(&place, format!("it has no type `{record}`"));
            return None;
        };
        let ty = Type::Id(*id);
        let Some(TypeDefKind::Record(_)) = definition(&contract.resolve, &ty).1 else {
            let span = contract.resolve.types.get(*id).map(|ty| ty.span).unwrap_or_default();
            self.refuse(&place.inside(record, span), "it is no record");
            return None;
        };
        self.record_message(&place.inside(record, found.span), &ty)
    }

    fn method(
        &mut self,
        place: &ContractPosition,
        service: &str,
        function: &Function,
    ) -> Option<Method> {
        if !matches!(function.kind, FunctionKind::Freestanding | FunctionKind::AsyncFreestanding) {
            self.refuse(place, "it is a function of a resource, which has no form in protobuf");
            return None;
        }
        let name = naming::upper_camel(&function.name);
        let origin = Origin::Made(format!("the function `{}`", function.name));
        let named = self.claim(place, &format!("{service}.{name}"), origin);
        // All three before any of them may end it: what is wrong is to be said at once.
        let request = self.request(place, function, &name);
        let response = self.response(place, function, &name);
        let errors = self.errors(place, function);
        let (parameters, request) = request?;
        let (payload, response) = response?;
        named.then_some(Method {
            path: format!("/{service}/{name}"),
            name,
            function: function.name.clone(),
            parameters,
            request,
            payload,
            response,
            errors: errors?,
        })
    }

    /// The request: the only parameter if it is a record, otherwise a message of the parameters.
    fn request(
        &mut self,
        place: &ContractPosition,
        function: &Function,
        name: &str,
    ) -> Option<(Vec<Parameter>, Arc<MessagePlan>)> {
        let resolve = &self.contract.resolve;
        let mut parameters = Vec::new();
        let mut sent = Vec::new();
        for param in &function.params {
            let ambient = match definition(resolve, &param.ty).0 {
                Type::Id(id) => self.ambient.get(&id),
                _ => None,
            };
            parameters.push(match ambient {
                Some(index) => Parameter::Ambient(*index),
                None => {
                    sent.push(param);
                    Parameter::Field
                }
            });
        }
        if let [param] = sent.as_slice()
            && let Some(TypeDefKind::Record(_)) = definition(resolve, &param.ty).1
        {
            for parameter in &mut parameters {
                if matches!(parameter, Parameter::Field) {
                    *parameter = Parameter::Message;
                }
            }
            let place = place.inside(&param.name, param.span);
            return Some((parameters, self.record_message(&place, &param.ty)?));
        }
        let members = sent.into_iter().map(|param| Member {
            wit: param.name.clone(),
            proto: naming::lower_snake(&param.name),
            docs: None,
            span: param.span,
            ty: Some(param.ty),
        });
        let outline = Outline {
            name: format!("{name}Request"),
            origin: Origin::Made(format!("the request of `{}`", function.name)),
            docs: Some(format!("What {name} takes.")),
            shape: Shape::Record,
            members: members.collect(),
        };
        Some((parameters, self.message(place, outline)?))
    }

    /// The response: what a function answers if that is a record, otherwise a message of it; the
    /// flag says whether it answers anything.
    fn response(
        &mut self,
        place: &ContractPosition,
        function: &Function,
        name: &str,
    ) -> Option<(bool, Arc<MessagePlan>)> {
        let resolve = &self.contract.resolve;
        let answer = match function.result {
            Some(ty) => match definition(resolve, &ty).1 {
                Some(TypeDefKind::Result(result)) => result.ok,
                _ => Some(ty),
            },
            None => None,
        };
        if let Some(ty) = &answer
            && let Some(TypeDefKind::Record(_)) = definition(resolve, ty).1
        {
            return Some((true, self.record_message(place, ty)?));
        }
        let member = answer.map(|ty| Member {
            wit: String::new(),
            proto: "result".to_owned(),
            docs: None,
            span: function.span,
            ty: Some(ty),
        });
        let outline = Outline {
            name: format!("{name}Response"),
            origin: Origin::Made(format!("the response of `{}`", function.name)),
            docs: Some(format!("What {name} answers.")),
            shape: if member.is_some() { Shape::Wrapper } else { Shape::Record },
            members: member.into_iter().collect(),
        };
        Some((answer.is_some(), self.message(place, outline)?))
    }

    fn errors(&mut self, place: &ContractPosition, function: &Function) -> Option<Option<Errors>> {
        let resolve = &self.contract.resolve;
        let result = function.result.and_then(|ty| match definition(resolve, &ty).1 {
            Some(TypeDefKind::Result(result)) => Some(result),
            _ => None,
        });
        let Some(result) = result else { return Some(None) };
        match Errors::derive(resolve, result.err.as_ref()) {
            Ok(errors) => Some(Some(errors)),
            Err(unsayable) => {
                for Unsayable { case, span, reason } in unsayable {
                    self.refuse(&place.inside(&case, span), reason);
                }
                None
            }
        }
    }
}
