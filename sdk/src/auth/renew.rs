//! Renewing the token of a connection that lives.

use std::sync::Arc;
use std::time::Duration;

use lightlike_core::conn::{Connection, ConnectionState};
use lightlike_core::driver::sleep;
use lightlike_core::guard::Panic;

use super::refresh::{Refresh, RefreshReason};
use crate::hub::Hub;
use crate::observe::panics::log;

/// Time for which a provider is not asked again, whatever it gave: one that cannot be reached, or that gives tokens
/// which end at once, is not asked without a pause.
const PEACE: Duration = Duration::from_secs(10);

/// Runs a driver to its end, and meanwhile renews the token before it ends.
pub(crate) async fn with_renewal(
    driver: impl Future<Output = ()> + Send,
    hub: Arc<Hub>,
    refresh: Option<Refresh>,
) {
    match refresh {
        None => driver.await,
        Some(refresh) => tokio::select! {
            () = driver => (),
            () = renew(&hub, &refresh) => (),
        },
    }
}

/// Goes on for ever.
async fn renew(hub: &Arc<Hub>, refresh: &Refresh) {
    let mut state = hub.status.state();
    loop {
        // The state's sender is in the hub, which this has.
        let is_ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
        let _ = state.wait_for(is_ready).await.is_ok();
        let token = hub.shared.read(Connection::token).unwrap_or_default();
        let due = refresh.due_in(&token);
        let wait = async {
            match due {
                Some(due) => sleep(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => (),
            // With another connection there may be another token.
            _ = state.changed() => continue,
        }
        match refresh.ask(RefreshReason::Expiring, Some(&token)).await {
            Ok(fresh) => {
                let presented = fresh.clone();
                let is_renewed = hub.command(|connection, now| {
                    // Meanwhile the client may have become another user, whose token this is not.
                    let is_renewed = connection.token() == Some(token);
                    if is_renewed {
                        connection.set_token(now, presented);
                    }
                    is_renewed
                });
                if is_renewed {
                    hub.session.keep(&fresh);
                }
            }
            Err(error) => {
                if let Some(panic) = error.downcast_ref::<Panic>() {
                    hub.panics.tell_later(panic.clone());
                }
                log!(warn, %error, "the token could not be renewed");
            }
        }
        sleep(PEACE).await;
    }
}
