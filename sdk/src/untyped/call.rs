//! Calls by name.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lightlike_core::bsatn;
use lightlike_core::conn::{CallRequest, Reply};
use lightlike_core::schema::{SatsValue, ServerField, ServerSchema, ServerType};
use lightlike_core::wire::Text;

use super::error::{UntypedError, nearest};
use super::value::UntypedValue;
use crate::calls::{CallError, failure};
use crate::hub::Hub;

/// The arguments of a call by name.
#[derive(Debug, Clone)]
pub struct Args(Repr);

#[derive(Debug, Clone)]
enum Repr {
    #[cfg(feature = "json")]
    Json(String),
    Named(Vec<(Box<str>, SatsValue)>),
    Values(Vec<SatsValue>),
    Raw(Bytes),
}

impl Args {
    /// JSON: an array of the arguments, or an object of them by name. See [SATS-JSON](crate::json).
    #[cfg(feature = "json")]
    pub fn json(json: impl Into<String>) -> Self {
        Self(Repr::Json(json.into()))
    }

    /// Values by their parameters' names, in any order.
    ///
    /// ```
    /// use lightlike::untyped::Args;
    ///
    /// let args = Args::named([("text", "hello".into()), ("room", 7_u32.into())]);
    /// # let _ = args;
    /// ```
    pub fn named<N: AsRef<str>>(args: impl IntoIterator<Item = (N, SatsValue)>) -> Self {
        let args = args.into_iter().map(|(name, value)| (name.as_ref().into(), value));
        Self(Repr::Named(args.collect()))
    }

    /// Values in the order of the parameters.
    pub fn values(args: impl IntoIterator<Item = SatsValue>) -> Self {
        Self(Repr::Values(args.into_iter().collect()))
    }

    /// Arguments that are encoded already, one after the other. They are not looked at.
    pub fn raw(args: impl Into<Bytes>) -> Self {
        Self(Repr::Raw(args.into()))
    }

    /// The encoding, by the function's parameters.
    fn encode(self, function: &Function<'_>) -> Result<Bytes, UntypedError> {
        let values = match self.0 {
            Repr::Raw(args) => return Ok(args),
            #[cfg(feature = "json")]
            Repr::Json(json) => return function.json(&json),
            Repr::Values(values) => function.counted(values)?,
            Repr::Named(named) => function.ordered(named)?,
        };
        let mut out = Vec::new();
        for (param, value) in function.params.iter().zip(values) {
            let encoded = bsatn::to_vec(&value).ok();
            let ty = function.schema.resolve(&param.ty);
            // A value of another type has another encoding, or is another value when it is read as this one.
            let fits = encoded
                .filter(|bytes| SatsValue::from_slice(ty, bytes).is_ok_and(|back| back == value));
            out.extend_from_slice(&fits.ok_or_else(|| function.wrong_type(param))?);
        }
        Ok(out.into())
    }
}

impl From<Vec<SatsValue>> for Args {
    fn from(values: Vec<SatsValue>) -> Self {
        Self::values(values)
    }
}

impl<const N: usize> From<[SatsValue; N]> for Args {
    fn from(values: [SatsValue; N]) -> Self {
        Self::values(values)
    }
}

/// A function of the schema's.
struct Function<'s> {
    schema: &'s ServerSchema,
    name: &'s str,
    params: &'s [ServerField],
}

impl Function<'_> {
    #[cfg(feature = "json")]
    fn json(&self, json: &str) -> Result<Bytes, UntypedError> {
        let params = ServerType::Product(self.params.to_vec());
        let encoded = lightlike_core::json::to_bsatn(self.schema.resolve(&params), json.as_bytes());
        encoded
            .map(Bytes::from)
            .map_err(|source| UntypedError::Arguments { signature: self.signature(), source })
    }

    fn counted(&self, values: Vec<SatsValue>) -> Result<Vec<SatsValue>, UntypedError> {
        let (expected, found) = (self.params.len(), values.len());
        if found == expected {
            return Ok(values);
        }
        let (function, signature) = (self.name.into(), self.signature());
        Err(UntypedError::ArgumentCount { function, expected, found, signature })
    }

    fn ordered(&self, named: Vec<(Box<str>, SatsValue)>) -> Result<Vec<SatsValue>, UntypedError> {
        let mut places: Vec<Option<SatsValue>> = vec![None; self.params.len()];
        for (argument, value) in named {
            let at = self.params.iter().position(|param| param.name.as_deref() == Some(&*argument));
            match at.and_then(|at| places.get_mut(at)) {
                Some(place) => *place = Some(value),
                None => {
                    let (function, signature) = (self.name.into(), self.signature());
                    return Err(UntypedError::UnknownArgument { function, argument, signature });
                }
            }
        }
        let filled = places.into_iter().zip(self.params).map(|(value, param)| {
            value.ok_or_else(|| UntypedError::MissingArgument {
                function: self.name.into(),
                argument: param_name(param),
                signature: self.signature(),
            })
        });
        filled.collect()
    }

    fn wrong_type(&self, param: &ServerField) -> UntypedError {
        let ty = self.schema.display(&param.ty).to_string().into();
        UntypedError::ArgumentType { function: self.name.into(), argument: param_name(param), ty }
    }

    /// The function's name and parameters, as they would be written in Rust.
    fn signature(&self) -> Box<str> {
        let params = self.params.iter().map(|param| {
            let ty = self.schema.display(&param.ty);
            match &param.name {
                Some(name) => format!("{name}: {ty}"),
                None => ty.to_string(),
            }
        });
        format!("{}({})", self.name, params.collect::<Vec<_>>().join(", ")).into()
    }
}

fn param_name(param: &ServerField) -> Box<str> {
    param.name.clone().unwrap_or_else(|| "_".into())
}

type CallFuture<T> = Pin<Box<dyn Future<Output = Result<T, CallError<T>>> + Send>>;

/// A call with encoded arguments, not made yet: await it for the encoding of what comes back.
///
/// # Cancel safety
///
/// Dropping it before it was first polled makes no call. Dropping it later cancels nothing: the call was sent.
#[must_use = "a call is made when it is awaited or sent"]
pub struct RawCall {
    hub: Arc<Hub>,
    request: CallRequest,
    timeout: Option<Duration>,
}

impl RawCall {
    pub(super) fn new(hub: Arc<Hub>, request: CallRequest) -> Self {
        Self { hub, request, timeout: None }
    }

    /// Ends the call as [`CallError::TimedOut`] if no answer comes in this time. There is no limit otherwise.
    /// Zero: at once. [`Duration::MAX`]: never.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes the call now, and returns its outcome's future.
    pub fn send(self) -> CallFuture<Bytes> {
        self.send_with(|bytes| bytes, |bytes| bytes)
    }

    /// Makes the call now; what comes back is read by one of these.
    fn send_with<T: Send + 'static>(
        self,
        returned: impl FnOnce(Bytes) -> T + Send + 'static,
        refused: impl FnOnce(Bytes) -> T + Send + 'static,
    ) -> CallFuture<T> {
        let answer = self.hub.call(self.request, self.timeout);
        Box::pin(async move {
            match answer.await {
                Ok(Reply::Committed { returned: value, .. } | Reply::Returned { value, .. }) => {
                    Ok(returned(value))
                }
                Ok(Reply::Rejected { error, .. }) => Err(CallError::Rejected(refused(error))),
                Ok(other) => Err(failure(&other)),
                // The driver answers every call before it goes, so it went without one: the program is ending.
                Err(_) => Err(CallError::Unknown),
            }
        })
    }
}

impl IntoFuture for RawCall {
    type Output = Result<Bytes, CallError<Bytes>>;
    type IntoFuture = CallFuture<Bytes>;

    fn into_future(self) -> Self::IntoFuture {
        self.send()
    }
}

impl fmt::Debug for RawCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawCall").finish_non_exhaustive()
    }
}

/// A call by the schema, not made yet: await it for what it returns.
///
/// # Cancel safety
///
/// As [`RawCall`]'s.
#[must_use = "a call is made when it is awaited or sent"]
pub struct UntypedCall {
    call: RawCall,
    schema: Arc<ServerSchema>,
    returns: Option<ServerType>,
    error: Option<ServerType>,
}

impl UntypedCall {
    pub(super) fn new(
        hub: &Arc<Hub>,
        schema: &Arc<ServerSchema>,
        name: &str,
        args: Args,
    ) -> Result<Self, UntypedError> {
        let text = Text::from(name);
        let not_callable = || Err(UntypedError::NotCallable { function: name.into() });
        let (request, returns, error) = if let Some(reducer) = schema.reducer(name) {
            if !reducer.callable {
                return not_callable();
            }
            let args = args.encode(&Function { schema, name, params: &reducer.params })?;
            (CallRequest::Reducer { name: text, args }, reducer.returns.clone(), &reducer.error)
        } else if let Some(procedure) = schema.procedure(name) {
            if !procedure.callable {
                return not_callable();
            }
            let args = args.encode(&Function { schema, name, params: &procedure.params })?;
            (CallRequest::Procedure { name: text, args }, Some(procedure.returns.clone()), &None)
        } else {
            let reducers = schema.reducers.iter().filter(|reducer| reducer.callable);
            let reducers = reducers.map(|reducer| &*reducer.name);
            let known = reducers.chain(schema.procedures.iter().map(|procedure| &*procedure.name));
            let nearest = nearest(name, known);
            return Err(UntypedError::UnknownFunction { function: name.into(), nearest });
        };
        let (call, error) = (RawCall::new(Arc::clone(hub), request), error.clone());
        Ok(Self { call, schema: Arc::clone(schema), returns, error })
    }

    /// Ends the call as [`CallError::TimedOut`] if no answer comes in this time. There is no limit otherwise.
    /// Zero: at once. [`Duration::MAX`]: never.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.call = self.call.timeout(timeout);
        self
    }

    /// Makes the call now, and returns its outcome's future.
    pub fn send(self) -> CallFuture<UntypedValue> {
        let Self { call, schema, returns, error } = self;
        let own = Arc::clone(&schema);
        call.send_with(
            move |bytes| UntypedValue::new(schema, returns, bytes),
            move |bytes| UntypedValue::new(own, error, bytes),
        )
    }
}

impl IntoFuture for UntypedCall {
    type Output = Result<UntypedValue, CallError<UntypedValue>>;
    type IntoFuture = CallFuture<UntypedValue>;

    fn into_future(self) -> Self::IntoFuture {
        self.send()
    }
}

impl fmt::Debug for UntypedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntypedCall").finish_non_exhaustive()
    }
}
