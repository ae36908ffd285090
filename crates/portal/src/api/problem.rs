//! Why an answer isn't what was asked for, as RFC 9457 has it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use conclave_desk::{DeskError, HookUrlError};
use conclave_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::live::LiveError;
use crate::problem::Problem;

/// Problem details (RFC 9457). `type` is absent, so `title` is the status in words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiProblem {
    /// The status in words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    /// Which parts of the request are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    fields: Vec<FieldProblem>,
}

/// What is wrong with a part of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldProblem {
    /// Which part.
    name: String,
    /// What is wrong with it.
    why: String,
}

impl ApiProblem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            fields: Vec::new(),
        }
    }

    pub(crate) fn not_found() -> Self {
        Problem::NotFound.into()
    }

    pub(crate) fn forbidden(why: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, why)
    }

    pub(crate) fn unauthorized() -> Self {
        let how = "Send Authorization: Bearer and a token, which you make in the portal under API tokens.";
        Self::new(StatusCode::UNAUTHORIZED, how)
    }

    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, why)
    }

    pub(crate) fn field(name: &str, why: impl ToString) -> Self {
        Self::faults(name, [why.to_string()])
    }

    /// All that is wrong with one part.
    pub(crate) fn faults(name: &str, whys: impl IntoIterator<Item = String>) -> Self {
        let mut problem = Self::invalid("A part of the request is not right.");
        let faults = whys.into_iter().map(|why| FieldProblem {
            name: name.to_owned(),
            why,
        });
        problem.fields.extend(faults);
        problem
    }
}

impl From<Problem> for ApiProblem {
    fn from(problem: Problem) -> Self {
        let (status, _, advice) = problem.words();
        let advice = match problem {
            Problem::NotFound => "There is no such thing, or it is not yours to see.".to_owned(),
            _ => advice,
        };
        Self::new(status, advice)
    }
}

impl From<StoreError> for ApiProblem {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<LiveError> for ApiProblem {
    fn from(error: LiveError) -> Self {
        Problem::from(error).into()
    }
}

impl From<DeskError> for ApiProblem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Plan(error) => Self::field("start", error),
            DeskError::HookUrl(HookUrlError::NoEvents) => {
                Self::field("events", "Name one at least.")
            }
            DeskError::HookUrl(error) => Self::field("url", error),
            DeskError::InvitedTwice(_) => Self::field("invitees", error),
            other => Problem::from(other).into(),
        }
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
        }
        response
    }
}
