//! Calling reducers and procedures.

use std::fmt;
use std::time::Duration;

use lightlike_core::bsatn::{Decode, Encode};
use lightlike_core::json::{self, Form};
use lightlike_core::schema::{Procedure, Reducer, Sats, SatsType};
use reqwest::Method;

use super::client::Http;
use super::error::{Error, Repr};
use super::exchange::Success;
use crate::http::exchange::reply::Reply;
use crate::http::exchange::request::Request;

/// The arguments of a call: a tuple, a struct with `#[derive(Bsatn)]` or `#[reducer]`, or [`Json`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the arguments of a call",
    note = "give a tuple such as `(\"Ada\",)`, a struct with `#[derive(Bsatn)]`, or `Json(..)`"
)]
pub trait Arguments {
    /// The arguments as a JSON array.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](super::ErrorKind::InvalidInput) if they have none.
    fn to_json(&self) -> Result<String, Error>;
}

impl<T: Encode + Sats> Arguments for T {
    fn to_json(&self) -> Result<String, Error> {
        let SatsType::Product(_) = T::TYPE else {
            let ty = T::TYPE;
            return Err(Error::invalid(format_args!(
                "a `{ty}` is not the arguments of a call: put it in a tuple, `(value,)`"
            )));
        };
        // Nothing in this form depends on what the module calls a field or a variant.
        json::to_string(self, Form::Positional)
            .map_err(|error| Error::new("cannot be sent", Repr::Arguments(error)))
    }
}

/// Arguments, or a value, as SATS-JSON: anything whose `Display` is JSON, such as text or a `serde_json::Value`. The server
/// gets it as it is.
///
/// ```no_run
/// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
/// use lightlike::http::Json;
///
/// http.call("chat", "set_name", Json(r#"["Ada"]"#)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: fmt::Display> Arguments for Json<T> {
    fn to_json(&self) -> Result<String, Error> {
        Ok(self.0.to_string())
    }
}

/// Result of a call that succeeded.
#[derive(Debug, Clone)]
pub struct CallReply(Reply);

impl CallReply {
    /// Value that a procedure returned.
    ///
    /// # Errors
    ///
    /// [`Content`](super::ErrorKind::Content) if it is not a `T`. A reducer returns nothing.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// let sum: u32 = http.call("chat", "add", (1u32, 2u32)).await?.value()?;
    /// # let _ = sum;
    /// # Ok(())
    /// # }
    /// ```
    pub fn value<T: Sats + for<'a> Decode<'a>>(&self) -> Result<T, Error> {
        self.0.sats()
    }

    /// Value that a procedure returned, as SATS-JSON; of a reducer, nothing.
    ///
    /// # Errors
    ///
    /// [`Content`](super::ErrorKind::Content) if it is not UTF-8.
    pub fn json(&self) -> Result<&str, Error> {
        self.0.text()
    }

    /// Duration of its run, if the server says so.
    pub fn duration(&self) -> Option<Duration> {
        self.0.number("spacetime-execution-duration-micros").map(Duration::from_micros)
    }

    /// Energy that it took, if the server says so.
    pub fn energy(&self) -> Option<u128> {
        self.0.number("spacetime-energy-used")
    }
}

impl Http {
    /// Calls a reducer or a procedure, and waits until it is done.
    ///
    /// The server opens a connection for the call and closes it: the module's `client_connected` and `client_disconnected`
    /// run around it.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind): [`Rejected`](super::ErrorKind::Rejected) if a reducer returned an error or panicked,
    /// [`NotFound`](super::ErrorKind::NotFound), [`Refused`](super::ErrorKind::Refused) if the arguments have other types,
    /// [`Server`](super::ErrorKind::Server) if a procedure failed.
    ///
    /// # Source
    ///
    /// `POST /v1/database/:name/call/:function` with a JSON array of the arguments.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// use lightlike::http::ErrorKind;
    ///
    /// http.call("chat", "set_name", ("Ada",)).await?;
    /// let error = http.call("chat", "set_name", ("",)).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Rejected);
    /// assert_eq!(error.text(), Some("Names must not be empty"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call(
        &self,
        database: &str,
        function: &str,
        arguments: impl Arguments,
    ) -> Result<CallReply, Error> {
        let path = self.function_path(database, function)?;
        let request = Request::new(Method::POST, path).json(arguments.to_json()?);
        self.ask(request, Success::Call).await.map(CallReply)
    }

    /// [`call`](Self::call) of a reducer that is declared in Rust. What it returns is not in the reply.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call). The reducer's error comes as [`text`](Error::text).
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// #[lightlike::reducer]
    /// fn set_name(name: String) -> Result<(), String>;
    ///
    /// http.call_reducer("chat", set_name("Ada".into())).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call_reducer<R: Reducer + Sats>(
        &self,
        database: &str,
        call: R,
    ) -> Result<(), Error> {
        self.call(database, R::DEF.name, call).await.map(drop)
    }

    /// [`call`](Self::call) of a procedure that is declared in Rust: what it returned.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), and [`Content`](super::ErrorKind::Content) if what it returned is of another type.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// #[lightlike::procedure]
    /// fn add(a: u32, b: u32) -> u32;
    ///
    /// assert_eq!(http.call_procedure("chat", add(1, 2)).await?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call_procedure<P>(&self, database: &str, call: P) -> Result<P::Output, Error>
    where
        P: Procedure + Sats,
        P::Output: Sats,
    {
        self.call(database, P::DEF.name, call).await?.value()
    }
}
