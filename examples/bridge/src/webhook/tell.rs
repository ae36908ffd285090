//! What happened, told to the addresses that want to know. It waits in the database: a stopped bridge, or an address that is
//! down, loses nothing.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use conclave_desk::{Desk, HookUrl, Signed, is_public};
use conclave_sip::IpNetwork;
use conclave_store::{Delivery, FAILS_FOR, Store, StoreError, TOLD_FOR, WebhookId};
use hyper::{Request, StatusCode, header};
use tokio::{
    net::lookup_host,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_rustls::{TlsConnector, rustls::ClientConfig};
use tracing::{Instrument as _, Span, info, warn};

use crate::{clock::Clock, post, spans};

/// How often the outbox is looked into.
const EVERY: Duration = Duration::from_secs(1);

/// Webhooks that have something due and are looked at, and those that are told something at the same time. Each is told one
/// event after the other.
const LOOKED_AT: u32 = 200;
const AT_ONCE: usize = 32;

/// Events in one go, and for how long they are nobody else's: until each could have waited for its answer.
const BATCH: u32 = 4;
const LEASE: TimeDelta = TimeDelta::seconds(75);

/// From the look-up of the name to the answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// The first pause after a failure, what each is multiplied by, and the longest.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(3);

/// Tells what is due, for as long as the bridge runs.
pub(crate) struct Teller {
    desk: Arc<Desk>,
    /// Networks of the operator's own that may be told.
    networks: Vec<IpNetwork>,
    clock: Clock,
    tls: TlsConnector,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    /// There is an answer, and it isn't yes.
    Refused(String),
    /// It wants nothing any more (HTTP 410).
    Gone,
    /// There is no answer.
    Unreachable(String),
    /// It can't be signed, and never can be.
    Unsigned(String),
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused(_) => "refused",
            Self::Gone => "gone",
            Self::Unreachable(_) => "unreachable",
            Self::Unsigned(_) => "unsigned",
        }
    }
}

impl Teller {
    pub(crate) fn new(
        desk: Arc<Desk>,
        networks: Vec<IpNetwork>,
        clock: Clock,
        tls: Arc<ClientConfig>,
    ) -> Self {
        Self {
            desk,
            networks,
            clock,
            tls: TlsConnector::from(tls),
        }
    }

    pub(crate) async fn run(self) {
        let teller = Arc::new(self);
        let mut under_way = JoinSet::new();
        let mut busy = BTreeSet::new();
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                Some(done) = under_way.join_next() => {
                    if let Ok(webhook) = done {
                        busy.remove(&webhook);
                    }
                    continue;
                }
            }
            let now = teller.clock.now();
            let due = match teller.desk.store().due_webhooks(LOOKED_AT, now).await {
                Ok(due) => due,
                Err(error) => {
                    warn!("the outbox of webhooks can't be read just now: {error}");
                    continue;
                }
            };
            for webhook in due {
                if busy.len() < AT_ONCE && busy.insert(webhook) {
                    let teller = Arc::clone(&teller);
                    under_way.spawn(async move {
                        if let Err(error) = teller.tell(webhook).await {
                            // It may be told twice: better than not at all, and its id says so.
                            warn!("what became of {webhook} can't be noted: {error}");
                        }
                        webhook
                    });
                }
            }
        }
    }

    /// Tells one webhook what is due, as long as it answers.
    async fn tell(&self, webhook: WebhookId) -> Result<(), StoreError> {
        let store = self.desk.store();
        let due = store.due_deliveries(webhook, BATCH, LEASE, self.clock.now());
        for delivery in due.await? {
            let span = spans::delivery(&delivery);
            let outcome = self.deliver(&delivery).instrument(span.clone()).await;
            spans::outcome(&span, outcome.word(), outcome == Outcome::Taken);
            let now = self.clock.now();
            let why = match &outcome {
                Outcome::Taken => {
                    store.delivered(&delivery, now).await?;
                    info!(
                        webhook = webhook.0,
                        delivery = delivery.id,
                        "an event was told"
                    );
                    continue;
                }
                Outcome::Gone => {
                    store.disable_webhook(webhook, "HTTP 410", now).await?;
                    warn!("{webhook} is switched off: its address says that it is gone");
                    return Ok(());
                }
                Outcome::Refused(why) | Outcome::Unreachable(why) | Outcome::Unsigned(why) => why,
            };
            let again = again(&delivery, now).filter(|_| !matches!(outcome, Outcome::Unsigned(_)));
            warn!(webhook = webhook.0, delivery = delivery.id, again = ?again, "an event was not told: {why}");
            let failing = store.not_delivered(&delivery, why, again, now).await?;
            if failing.is_some_and(|since| now - since >= FAILS_FOR) {
                let days = FAILS_FOR.num_days();
                let why = format!("it has taken nothing for {days} days");
                store.disable_webhook(webhook, &why, now).await?;
                warn!("{webhook} is switched off: {why}");
                return Ok(());
            }
            if matches!(outcome, Outcome::Unreachable(_)) {
                // The others wait until they are free again: who doesn't answer isn't asked all the time.
                return Ok(());
            }
        }
        Ok(())
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let signed = match self.desk.signed(delivery, self.clock.now()) {
            Ok(signed) => signed,
            Err(error) => return Outcome::Unsigned(error.to_string()),
        };
        let url = match HookUrl::read(&delivery.url) {
            Ok(url) => url,
            Err(error) => return Outcome::Unsigned(error.to_string()),
        };
        let answer = timeout(ANSWERS_WITHIN, self.post(&url, delivery, signed)).await;
        if let Ok(Ok(status)) = &answer {
            spans::answered(&Span::current(), *status);
        }
        match answer {
            Ok(Ok(status)) if status.is_success() => Outcome::Taken,
            Ok(Ok(StatusCode::GONE)) => Outcome::Gone,
            // A redirection isn't followed: it could lead to where webhooks may not go.
            Ok(Ok(status)) => Outcome::Refused(format!("HTTP {}", status.as_u16())),
            Ok(Err(why)) => Outcome::Unreachable(why),
            Err(_) => {
                let seconds = ANSWERS_WITHIN.as_secs();
                Outcome::Unreachable(format!("no answer within {seconds} s"))
            }
        }
    }

    async fn post(
        &self,
        url: &HookUrl,
        delivery: &Delivery,
        signed: Signed,
    ) -> Result<StatusCode, String> {
        let request = Request::post(url.path())
            .header(header::HOST, url.authority())
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::USER_AGENT,
                concat!("conclave-bridge/", env!("CARGO_PKG_VERSION")),
            )
            .header("webhook-id", signed.id)
            .header("webhook-timestamp", signed.timestamp)
            .header("webhook-signature", signed.signature)
            .body(delivery.body.clone())
            .map_err(|error| error.to_string())?;
        let address = self.address(url).await?;
        let tls = url.is_secure().then(|| (&self.tls, url.host()));
        post::send(address, tls, request).await
    }

    /// Looked up once: what is connected to is what was judged.
    async fn address(&self, url: &HookUrl) -> Result<SocketAddr, String> {
        let found = lookup_host((url.host(), url.port())).await;
        let found = found.map_err(|error| format!("cannot look up {}: {error}", url.host()))?;
        let mut may = found.filter(|address| self.may_be_told(url, address.ip()));
        may.next().ok_or_else(|| {
            "its address is none of the Internet's, and of no network in [webhooks] networks".into()
        })
    }

    fn may_be_told(&self, url: &HookUrl, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if url.is_loopback() {
            return address.is_loopback();
        }
        is_public(address)
            || self
                .networks
                .iter()
                .any(|network| network.contains(address))
    }
}

/// When it is tried again, if it is.
fn again(delivery: &Delivery, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (now - delivery.at < TOLD_FOR).then(|| now + pause(delivery.tries))
}

fn pause(tries: u32) -> TimeDelta {
    let times = 3_i32.saturating_pow(tries.min(12));
    (FIRST_PAUSE * times).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_tried_for_days_and_not_all_the_time() {
        assert_eq!(pause(0), TimeDelta::seconds(5));
        assert_eq!(pause(2), TimeDelta::seconds(45));
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
        let mut after = TimeDelta::zero();
        let tries = (0..).take_while(|tries| {
            after += pause(*tries);
            after < TOLD_FOR
        });
        let tries = tries.count();
        assert!((20..50).contains(&tries), "{tries}");
    }
}
