//! Why a page can't be shown, said to whoever asked for it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use conclave_desk::DeskError;
use conclave_store::StoreError;

use crate::live::LiveError;
use crate::look::{Frame, page};
use crate::password::PasswordsError;

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Problem {
    /// There is none, or none for this user: which of both is nobody's business.
    NotFound,
    /// This role may not enter here.
    Forbidden,
    /// The form isn't one that we gave this browser.
    StrangeForm,
    /// More was sent than any form of ours holds.
    TooLarge,
    /// The request was meant for another host.
    Misdirected,
    /// What was asked for can't be; this says why, and what can.
    Refused(String),
    /// There were too many tries.
    Throttled(TimeDelta),
    /// Something here doesn't work now; what it is stands in the log.
    Unavailable,
    /// The OpenID provider of that name can't be used now; why stands in the log.
    NoProvider(String),
}

#[derive(askama::Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    title: &'static str,
    advice: String,
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchAccount(_)
            | StoreError::NoSuchBooking(_)
            | StoreError::NoSuchInvitee(_)
            | StoreError::NoSuchUser(_)
            | StoreError::NoSuchApiToken(_)
            | StoreError::NoSuchWebhook(_) => return Self::NotFound,
            StoreError::NoBookings(_)
            | StoreError::Cancelled(_)
            | StoreError::Over(_)
            | StoreError::Withdrawn(_)
            | StoreError::OnePinForAll(_)
            | StoreError::Closed(_)
            | StoreError::UserExists
            | StoreError::UserSuspended(_)
            | StoreError::Repeated => return Self::Refused(sentence(&error.to_string())),
            _ => {}
        }
        tracing::error!(%error, "a page of the portal can't be made");
        Self::Unavailable
    }
}

impl From<LiveError> for Problem {
    fn from(error: LiveError) -> Self {
        tracing::warn!(%error, "a page of what goes on can't be made");
        Self::Unavailable
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Store(error) => error.into(),
            DeskError::Plan(_)
            | DeskError::Title(_)
            | DeskError::InvitedTwice(_)
            | DeskError::NoTable(_)
            | DeskError::BroughtTaken
            | DeskError::HookUrl(_)
            | DeskError::NoPinIsLongEnough => Self::Refused(sentence(&error.to_string())),
            _ => {
                tracing::error!(%error, "a PIN can't be drawn or read");
                Self::Unavailable
            }
        }
    }
}

/// What our errors say, as a page says it.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

impl From<PasswordsError> for Problem {
    fn from(error: PasswordsError) -> Self {
        tracing::error!(%error, "a password can't be verified");
        Self::Unavailable
    }
}

impl Problem {
    /// Its status, in short, and what to do.
    pub(crate) fn words(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "There is no such page",
                "The address may be mistyped, or what was here is gone, or it is not yours to see.".to_owned(),
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "This page is not for your role",
                "An administrator can give you another role if you need it.".to_owned(),
            ),
            Self::StrangeForm => (
                StatusCode::FORBIDDEN,
                "This form is too old",
                "Nothing was done. Go back, load the page again, and send the form from there. Cookies must be allowed for this site.".to_owned(),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "That is too much",
                "Nothing was done. No form here takes so much text.".to_owned(),
            ),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "This is another site",
                "The portal does not answer to the name in your address bar. Whoever runs this bridge can tell you the right one.".to_owned(),
            ),
            Self::Refused(why) => (
                StatusCode::CONFLICT,
                "That can't be done",
                why.clone(),
            ),
            Self::Throttled(wait) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many tries",
                format!("Please try again in {} seconds.", seconds(*wait)),
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "That does not work right now",
                "Nothing was changed. Please try again in a minute; calls are not affected.".to_owned(),
            ),
            Self::NoProvider(label) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The sign-in does not answer",
                format!("{label} can't be reached from here, or gives answers that make no sense. Please try again in a minute; whoever runs this bridge finds the reason in its log."),
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, advice) = self.words();
        let shown = ProblemPage {
            frame: Frame::bare(),
            title,
            advice,
        };
        let mut response = page(status, &shown);
        if let Self::Throttled(wait) = self {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        response
    }
}

/// Whole ones, rounded up.
fn seconds(wait: TimeDelta) -> i64 {
    (wait.num_milliseconds() + 999) / 1000
}
