//! Server-sent events: a page's changes, for as long as somebody looks at it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use askama::Template;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use conclave_accounts::AccountId;
use conclave_store::{ApiTokenId, Scope, Store, TokenHash, User};
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;

use crate::guard::Visitor;
use crate::live::Snapshot;
use crate::portal::Portal;
use crate::problem::Problem;

/// A browser that reads slowly holds this many events back, and its own next ones.
const AHEAD: usize = 2;
/// Changes that follow each other faster come together.
const AT_MOST_EVERY: Duration = Duration::from_millis(200);
/// A stream ends so long after its beginning, and the browser opens the next one: before the connection's own end cuts it.
const LASTS: Duration = Duration::from_secs(100);
/// What a stream begins with: the browser is to come back so soon after its end.
const COME_BACK: &str = "retry: 300\n\n";
/// A word now and then, so that a browser that is gone shows; and whether its user may still look.
const PULSE: Duration = Duration::from_secs(15);

/// A place among those who look at something.
pub(crate) struct Events(OwnedSemaphorePermit);

/// Who looks.
pub(crate) enum Looker {
    /// Somebody who is signed in.
    Browser(Visitor),
    /// A program.
    Program(ProgramLooker),
}

/// What a program must still be, to look on.
pub(crate) struct ProgramLooker {
    pub(crate) id: ApiTokenId,
    pub(crate) token: TokenHash,
    pub(crate) user: User,
    pub(crate) scope: Scope,
}

impl Looker {
    /// Whether they have the right to it still; a database that doesn't answer is no right.
    async fn may_look(&self, portal: &Portal) -> bool {
        match self {
            Self::Browser(visitor) => {
                let session = portal.session(&visitor.token).await;
                matches!(session, Ok(Some(session)) if visitor.user.as_ref() == Some(&session.user))
            }
            Self::Program(program) => {
                let now = portal.now();
                let found = portal.store().api_token(&program.token, now).await;
                matches!(found, Ok(Some(found)) if found.id == program.id
                    && found.user == program.user && found.scopes.contains(&program.scope))
            }
        }
    }
}

/// Where a page's changes go. What isn't new isn't sent.
#[derive(Clone)]
pub(crate) struct Pushed {
    to: mpsc::Sender<Bytes>,
    last: Arc<Mutex<(String, String)>>,
}

impl Events {
    /// Fails where as many look already as the portal bears; the page works without.
    pub(crate) fn open(portal: &Portal) -> Result<Self, Problem> {
        Self::among(portal.lookers())
    }

    /// The same for a program; programs take no browser's place.
    pub(crate) fn open_for_program(portal: &Portal) -> Result<Self, Problem> {
        Self::among(portal.listeners())
    }

    fn among(places: &Arc<Semaphore>) -> Result<Self, Problem> {
        let place = Arc::clone(places).try_acquire_owned();
        place.map(Self).map_err(|_| Problem::Unavailable)
    }

    /// The answer: `push` runs until it ends, whoever looks goes, or may not look any more.
    pub(crate) fn run<F>(
        self,
        portal: Portal,
        looker: Looker,
        push: impl FnOnce(Pushed) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = Option<()>> + Send + 'static,
    {
        let (to, from) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            let _place = self.0;
            let pushed = Pushed {
                to: to.clone(),
                last: Arc::default(),
            };
            tokio::select! {
                _ = begin(&to, push(pushed)) => {}
                () = sleep(LASTS) => {}
                () = to.closed() => {}
                () = watch_over(&portal, &looker, &to) => {}
            }
        });
        let kind = HeaderValue::from_static("text/event-stream");
        let headers = [
            (header::CONTENT_TYPE, kind),
            // Else nginx, as a proxy, keeps events back until it has many.
            (
                HeaderName::from_static("x-accel-buffering"),
                HeaderValue::from_static("no"),
            ),
        ];
        (headers, Body::new(Stream(from))).into_response()
    }
}

async fn begin(to: &mpsc::Sender<Bytes>, push: impl Future<Output = Option<()>>) -> Option<()> {
    to.send(Bytes::from_static(COME_BACK.as_bytes()))
        .await
        .ok()?;
    push.await
}

/// Ends when the right to look does.
async fn watch_over(portal: &Portal, looker: &Looker, to: &mpsc::Sender<Bytes>) {
    loop {
        sleep(PULSE).await;
        if !looker.may_look(portal).await || to.send(Bytes::from_static(b":\n\n")).await.is_err() {
            return;
        }
    }
}

impl Pushed {
    /// What the page shows now, if that has changed. `None`: nobody looks any more.
    pub(crate) async fn part(&self, part: &impl Template) -> Option<()> {
        let html = part.render().ok()?;
        if self.is_new(|last| &mut last.0, &html) {
            self.send("part", &html).await?;
            sleep(AT_MOST_EVERY).await;
        }
        Some(())
    }

    /// Who speaks now, by their calls' numbers.
    pub(crate) async fn speaking(&self, now: &Snapshot) -> Option<()> {
        let speaking: Vec<_> = now
            .callers
            .iter()
            .filter(|caller| caller.speaking)
            .map(|caller| caller.call.0.to_string())
            .collect();
        let speaking = speaking.join(" ");
        if self.is_new(|last| &mut last.1, &speaking) {
            self.send("speaking", &speaking).await?;
        }
        Some(())
    }

    /// An event of that name, whether or not it is new.
    pub(crate) async fn event(&self, name: &str, data: &str) -> Option<()> {
        self.send(name, data).await
    }

    /// The conference is over; its record is with its account.
    pub(crate) async fn over(&self, account: AccountId) -> Option<()> {
        self.send("over", &format!("/accounts/{}", account.0)).await
    }

    fn is_new(&self, which: impl Fn(&mut (String, String)) -> &mut String, now: &str) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = which(&mut last);
        let new = last != now;
        if new {
            now.clone_into(last);
        }
        new
    }

    async fn send(&self, event: &str, data: &str) -> Option<()> {
        self.to.send(Bytes::from(written(event, data))).await.ok()
    }
}

/// As the HTML standard has it (section 9.2.6).
fn written(event: &str, data: &str) -> String {
    let mut written = format!("event: {event}\n");
    for line in data.split(['\n', '\r']) {
        written.push_str("data: ");
        written.push_str(line);
        written.push('\n');
    }
    written.push('\n');
    written
}

struct Stream(mpsc::Receiver<Bytes>);

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(context);
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_lines() {
        let check = |data: &str, expected: &str| assert_eq!(written("part", data), expected);
        check("", "event: part\ndata: \n\n");
        check("a\nb", "event: part\ndata: a\ndata: b\n\n");
        // No text can begin an event of its own.
        check(
            "a\r\nevent: over",
            "event: part\ndata: a\ndata: \ndata: event: over\n\n",
        );
    }
}
