//! Reducers and procedures.

use lightlike_core::schema::{Scalar, ServerField, ServerSchema, ServerType, natural_order};

use super::types::Types;
use super::{Function, Ty};
use crate::error::GenerateError;
use crate::names::{self, Scope};

pub(super) fn reducers(
    schema: &ServerSchema,
    types: &mut Types<'_>,
    scope: &mut Scope,
) -> Result<Vec<Function>, GenerateError> {
    let mut reducers: Vec<_> = schema.reducers.iter().filter(|it| it.callable).collect();
    reducers.sort_by(|a, b| natural_order(&a.name, &b.name));
    let reducers = reducers.into_iter().map(|reducer| {
        let signature = Signature {
            word: "reducer",
            name: &reducer.name,
            source_name: &reducer.source_name,
            params: &reducer.params,
        };
        let mut function = signature.function(types, scope)?;
        function.returns = outcome(&signature, types, &reducer.returns, &reducer.error)?;
        Ok(function)
    });
    reducers.collect()
}

/// Return type in a reducer's signature. Nothing stands for `Result<(), String>`.
fn outcome(
    signature: &Signature<'_>,
    types: &mut Types<'_>,
    ok: &Option<ServerType>,
    error: &Option<ServerType>,
) -> Result<Option<Ty>, GenerateError> {
    let ok = match ok {
        Some(ok) => signature.returns(types, ok, "Ok")?,
        None => Ty::Unit,
    };
    let plain = matches!(error, None | Some(ServerType::Scalar(Scalar::String)));
    let error = match error {
        Some(error) if !plain => signature.returns(types, error, "Error")?,
        _ => Ty::Named("String".to_owned()),
    };
    Ok(match ok {
        Ty::Unit if plain => None,
        Ty::Result(..) => Some(Ty::Result(Box::new(ok), Box::new(error))),
        ok if plain => Some(ok),
        ok => Some(Ty::Result(Box::new(ok), Box::new(error))),
    })
}

pub(super) fn procedures(
    schema: &ServerSchema,
    types: &mut Types<'_>,
    scope: &mut Scope,
) -> Result<Vec<Function>, GenerateError> {
    let mut procedures: Vec<_> = schema.procedures.iter().filter(|it| it.callable).collect();
    procedures.sort_by(|a, b| natural_order(&a.name, &b.name));
    let procedures = procedures.into_iter().map(|procedure| {
        let signature = Signature {
            word: "procedure",
            name: &procedure.name,
            source_name: &procedure.source_name,
            params: &procedure.params,
        };
        let mut function = signature.function(types, scope)?;
        let returns = signature.returns(types, &procedure.returns, "Returns")?;
        function.returns = (returns != Ty::Unit).then_some(returns);
        Ok(function)
    });
    procedures.collect()
}

struct Signature<'s> {
    word: &'static str,
    name: &'s str,
    source_name: &'s str,
    params: &'s [ServerField],
}

impl Signature<'_> {
    fn function(
        &self,
        types: &mut Types<'_>,
        scope: &mut Scope,
    ) -> Result<Function, GenerateError> {
        let ident = self.ident(types, scope);
        let what = format!("the {} `{}`", self.word, self.name);
        let mut names = Scope::of_values();
        let mut params = Vec::with_capacity(self.params.len());
        for (at, param) in self.params.iter().enumerate() {
            let numbered = format!("arg{at}");
            let name = names::given(&param.name).unwrap_or(&numbered);
            // A module's underscore says that it does not use the argument.
            let ident = names.give(&[&names::value(name.trim_start_matches('_'))]);
            let hint = names::call_type(self.name) + &names::ty(name);
            let ty = types.ty(&param.ty, &format!("`{name}` of {what}"), &hint)?;
            params.push((ident, ty));
        }
        let found = names::snake(&ident) == self.name;
        let name = (!found).then(|| self.name.to_owned());
        Ok(Function { ident, name, params, returns: None })
    }

    /// The name of the function, whose type gets a name too.
    fn ident(&self, types: &mut Types<'_>, scope: &mut Scope) -> String {
        // The module's own name where the wire name is found from it.
        let (namespace, source) = match self.name.rsplit_once('.') {
            Some((namespace, _)) => (format!("{}_", namespace.replace('.', "_")), self.source_name),
            None => (String::new(), self.source_name),
        };
        let plain = names::value(&format!("{namespace}{source}"));
        let mut candidate = plain.clone();
        let mut number = 1_u32;
        loop {
            let call_type = names::call_type(&candidate);
            let valid = names::ty(&call_type) == call_type;
            if valid && types.take(&call_type) {
                // Two functions with one type have one name too.
                scope.take(&candidate);
                return candidate;
            }
            let plain = plain.trim_start_matches("r#").trim_matches('_');
            candidate = match number {
                1 => format!("call_{plain}"),
                number => format!("call_{plain}_{number}"),
            };
            number += 1;
        }
    }

    fn returns(
        &self,
        types: &mut Types<'_>,
        ty: &ServerType,
        word: &str,
    ) -> Result<Ty, GenerateError> {
        let what = format!("what the {} `{}` returns", self.word, self.name);
        types.ty(ty, &what, &(names::call_type(self.name) + word))
    }
}
